// META: title=Periodic Background Sync: floors when the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

restart_tests([
  {
    name: 'The 12 hours after an event do not begin anew with the browser, and do not end with it',
    before: async t => {
      const worker = await start_periodic_worker(t);
      const {periodicSync} = worker.registration;
      await periodicSync.register('first', {minInterval: 20 * hour});
      await test_driver.advance_time(15 * hour);
      await periodicSync.register('second');
      await test_driver.advance_time(6 * hour);
      await (await worker.next_event('first')).fulfil();
      await worker.barrier();
      await test_driver.advance_time(5 * hour);
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      await test_driver.advance_time(5 * hour);
      await worker.assert_no_event('10 hours are not enough');
      await test_driver.advance_time(3 * hour);
      assert_equals((await worker.next_event()).tag, 'second');
    },
  },
]);
