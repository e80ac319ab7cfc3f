// META: title=Background Sync: attempts before and after the browser is killed
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// That there are three attempts is a decision of the browser.

restart_tests([
  {
    name: 'A tag that was removed after its last attempt does not come back',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      for (let last = false; !last;) {
        const event = await worker.next_event();
        last = event.lastChance;
        await event.reject();
        await worker.barrier();
        await test_driver.advance_time(longer_than_any_back_off);
      }
      await worker.tags_become([]);
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_array_equals(await worker.tags(), []);
      await back_off_is_over();
      await worker.assert_no_event();
    },
  },
  {
    name: 'Attempts that failed before the restart count',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      for (let attempt = 0; attempt < 2; ++attempt) {
        await (await worker.next_event()).reject();
        await worker.barrier();
        if (attempt === 0) {
          await test_driver.advance_time(longer_than_any_back_off);
        }
      }
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      await back_off_is_over();
      const event = await worker.next_event();
      assert_true(event.lastChance);
      await event.reject();
      await worker.tags_become([]);
    },
  },
]);
