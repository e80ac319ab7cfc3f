// META: title=Periodic Background Sync: events that fail
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await (await worker.next_event()).reject();
  await worker.assert_no_event('a failure is not tried again at once');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'A tag stays when its event fails');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  for (let interval = 0; interval < 8; ++interval) {
    await until_due();
    await (await worker.next_event()).reject();
    await worker.barrier();
  }
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await until_due();
  await (await worker.next_event()).fulfil();
}, 'A tag stays however often its event fails, and fires in the next interval');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await worker.next_event();
  await test_driver.stop_service_worker(worker.scope);
  await worker.barrier();
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await until_due();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag stays when its worker is terminated during the event');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await (await worker.next_event()).reject();
  await worker.barrier();
  await worker.registration.periodicSync.unregister('tag');
  assert_array_equals(await worker.periodic_tags(), []);
  await test_driver.advance_time(longer_than_any_back_off);
  await until_due();
  await worker.assert_no_event('it is not registered');
}, 'A tag that is unregistered while it waits for a retry does not fire again');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await (await worker.next_event()).reject();
  await worker.barrier();
  await worker.registration.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await until_due();
  await again.assert_no_event('the retry is gone with the registration');
}, 'A retry goes when the service worker is unregistered');
