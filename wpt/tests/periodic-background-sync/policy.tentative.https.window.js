// META: title=Periodic Background Sync: floors, retries and time limits
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

// The specification leaves these numbers to the browser; it says that at least 12 hours should lie between
// two events, that retries should be over soon in relation to that, and that the time limit of an event
// must be stricter than that of others.

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: minute});
  await test_driver.advance_time(11.9 * hour);
  await worker.assert_no_event('not within 12 hours');
  await test_driver.advance_time(0.2 * hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag fires every 12 hours at most, however short its interval');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: 13 * hour});
  await test_driver.advance_time(13.1 * hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'An interval that is longer than 12 hours is not rounded up');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const tags = ['a', 'b', 'c'];
  for (const tag of tags) {
    await worker.registration.periodicSync.register(tag);
  }
  await until_due();
  const events = await worker.next_events(tags.length);
  assert_array_equals(events.map(event => event.tag).sort(), tags);
  await Promise.all(events.map(event => event.fulfil()));
  await worker.assert_no_event('each fires once');
}, 'Tags of an origin that are due at the same time fire together');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('first');
  await test_driver.advance_time(6 * hour);
  await periodicSync.register('second');
  await test_driver.advance_time(6.5 * hour);
  await (await worker.next_event('first')).fulfil();
  await worker.barrier();
  await test_driver.advance_time(6 * hour);
  await worker.assert_no_event('the origin has fired within 12 hours');
  await test_driver.advance_time(6.5 * hour);
  const events = await worker.next_events(2);
  assert_array_equals(events.map(event => event.tag).sort(), ['first', 'second']);
}, 'The 12 hours count for all tags of an origin');

promise_test(async t => {
  const workers = [await start_periodic_worker(t), await start_periodic_worker(t)];
  await workers[0].registration.periodicSync.register('first');
  await test_driver.advance_time(6 * hour);
  await workers[1].registration.periodicSync.register('second');
  await test_driver.advance_time(6.5 * hour);
  await (await workers[0].next_event()).fulfil();
  await workers[0].barrier();
  await test_driver.advance_time(6 * hour);
  await workers[1].assert_no_event('the origin has fired within 12 hours');
  await test_driver.advance_time(6.5 * hour);
  assert_equals((await workers[1].next_event()).tag, 'second');
}, 'The 12 hours count for all service workers of an origin');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(4 * minute);
  await worker.assert_no_event('4 minutes are not enough');
  await test_driver.advance_time(1.6 * minute);
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(13 * minute);
  await worker.assert_no_event('13 minutes are not enough');
  await test_driver.advance_time(4 * minute);
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(2 * hour);
  await worker.assert_no_event('there are three attempts');
  await until_due();
  await (await worker.next_event()).fulfil();
}, 'An event that failed is tried again after 5 and 15 minutes, and then in the next interval');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await worker.next_event();
  await test_driver.advance_time(1.5 * minute);
  await worker.barrier();
  await test_driver.advance_time(6 * minute);
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'An event may take one minute, and has failed then');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await set_permission(t, 'background-sync', 'denied');
  await until_equal(() => worker.periodic_tags(), []);
}, 'The revocation of "background-sync" removes periodic syncs too');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  await (await worker.next_event()).reject();
  await worker.barrier();
  await go_offline(t);
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('nothing fires while offline');
  await go_online();
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'A retry that is due while offline comes when the browser is online');
