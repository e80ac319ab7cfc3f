// META: title=Periodic Background Sync: a tag that is registered again
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: 4 * day});
  await test_driver.advance_time(3 * day);
  await periodicSync.register('tag', {minInterval: 4 * day});
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'The interval does not begin anew when a tag is registered again with the same one');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: 2 * day});
  await periodicSync.register('tag', {minInterval: 6 * day});
  await test_driver.advance_time(5 * day);
  await worker.assert_no_event('the longer interval counts');
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag can get a longer interval');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: 30 * day});
  await periodicSync.register('tag', {minInterval: day});
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag can get a shorter interval');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: 10 * day});
  await test_driver.advance_time(3 * day);
  await periodicSync.register('tag', {minInterval: 4 * day});
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag',
    'the new interval is counted from when the tag was first registered');
}, 'Another interval is counted from the same time as the one before');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: 2 * day});
  await test_driver.advance_time(day);
  await periodicSync.unregister('tag');
  await periodicSync.register('tag', {minInterval: 2 * day});
  await test_driver.advance_time(day + hour);
  await worker.assert_no_event('it is a new registration');
  await test_driver.advance_time(day);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'The interval begins anew for a tag that was unregistered in between');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: day});
  await test_driver.advance_time(day + hour);
  const event = await worker.next_event();
  await periodicSync.register('tag', {minInterval: day});
  await event.fulfil();
  await worker.assert_no_event('it does not fire before its interval is over');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag that is registered again during its event fires an interval later');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: day});
  await test_driver.advance_time(day + hour);
  const event = await worker.next_event();
  await periodicSync.register('tag', {minInterval: day});
  await event.reject();
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('a failure is not tried again');
  await test_driver.advance_time(day);
  await (await worker.next_event()).fulfil();
}, 'A tag that is registered again during its event is not tried again when the event fails');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: day});
  await test_driver.advance_time(day + hour);
  const event = await worker.next_event();
  await worker.call('periodic_register', 'tag', {minInterval: 3 * day});
  await event.fulfil();
  await worker.barrier();
  await test_driver.advance_time(2 * day);
  await worker.assert_no_event('the new interval counts');
  await test_driver.advance_time(day + hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A handler can give its tag another interval');
