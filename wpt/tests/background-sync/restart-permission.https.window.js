// META: title=Background Sync: the permission is denied, and the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

restart_tests([
  {
    name: 'A permission that was denied is denied after the restart',
    before: async t => {
      const worker = await start_worker(t);
      await test_driver.set_permission({name: 'background-sync'}, 'denied');
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_equals((await navigator.permissions.query({name: 'background-sync'})).state, 'denied');
      await promise_rejects_dom(t, 'NotAllowedError', worker.register('tag'));
    },
  },
]);
