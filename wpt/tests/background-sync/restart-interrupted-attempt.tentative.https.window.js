// META: title=Background Sync: an attempt during which the browser is killed
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// That there are three attempts is a decision of the browser.

restart_tests([
  {
    name: 'An attempt that the restart interrupted counts',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      await (await worker.next_event()).reject();
      await worker.barrier();
      await test_driver.advance_time(longer_than_any_back_off);
      await worker.next_event();
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      await back_off_is_over();
      assert_true((await worker.next_event()).lastChance);
    },
  },
]);
