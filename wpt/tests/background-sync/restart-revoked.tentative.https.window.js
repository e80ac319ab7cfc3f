// META: title=Background Sync: the permission was revoked, and the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

restart_tests([
  {
    name: 'What a revocation removed does not come back with the browser',
    before: async t => {
      const worker = await start_worker(t);
      await go_offline(t, worker.scope);
      await worker.register('tag');
      await test_driver.set_permission({name: 'background-sync'}, 'denied');
      await worker.tags_become([]);
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      await set_permission(t, 'background-sync', 'granted');
      assert_array_equals(await worker.tags(), []);
      await worker.assert_no_event();
    },
  },
]);
