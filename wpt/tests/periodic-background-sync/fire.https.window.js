// META: title=Periodic Background Sync: the periodicsync event
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: 0});
  await worker.assert_no_event('a periodic sync does not fire when it is registered');
}, 'A tag does not fire at once');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: floor});
  await until_due();
  const event = await worker.next_event();
  assert_equals(event.type, 'periodicsync');
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'A tag fires when its interval is over: a periodicsync event with this tag');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  const event = await worker.next_event();
  assert_equals(event.interface, '[object PeriodicSyncEvent]');
  assert_true(event.is_extendable);
  assert_true(event.isTrusted);
  assert_false(event.bubbles);
  assert_false(event.cancelable);
  assert_true(event.target_is_global);
  assert_equals(event.lastChance, undefined);
}, 'The event is a trusted PeriodicSyncEvent, which is an ExtendableEvent and has no lastChance');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  const event = await worker.next_event();
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await event.fulfil();
  await worker.barrier();
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'A tag stays in the list during its event and after it');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  for (let round = 0; round < 4; ++round) {
    await until_due();
    const event = await worker.next_event();
    assert_equals(event.tag, 'tag');
    await event.fulfil();
    await worker.assert_no_event('once in each interval');
  }
}, 'A tag fires again and again');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: 5 * day});
  await test_driver.advance_time(4 * day + 23 * hour);
  await worker.assert_no_event('not before the interval is over');
  await test_driver.advance_time(2 * hour);
  await (await worker.next_event()).fulfil();
  await worker.barrier();
  await test_driver.advance_time(4 * day + 22 * hour);
  await worker.assert_no_event('nor the second time');
  await test_driver.advance_time(3 * hour);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag does not fire before minInterval is over');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await test_driver.advance_time(30 * day);
  await (await worker.next_event()).fulfil();
  await worker.assert_no_event('intervals that were missed are not made up for');
}, 'A tag fires once, however many intervals are over');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const tags = ['a', 'b', 'c'];
  for (const tag of tags) {
    await worker.registration.periodicSync.register(tag);
  }
  // A browser may leave an interval between the tags of an origin.
  const fired = new Set();
  for (let turn = 0; turn < tags.length && fired.size < tags.length; ++turn) {
    await until_due();
    await worker.barrier();
    for (const event of worker.take_events()) {
      fired.add(event.tag);
      await event.fulfil();
    }
    await worker.barrier();
  }
  assert_array_equals([...fired].sort(), tags);
}, 'All tags that are due fire');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('long', {minInterval: 3 * day});
  await worker.registration.periodicSync.register('short');
  await until_due();
  const event = await worker.next_event();
  assert_equals(event.tag, 'short');
  await event.fulfil();
  await worker.assert_no_event('the other one is not due');
}, 'Each tag has an interval of its own');

promise_test(async t => {
  const workers = [await start_periodic_worker(t), await start_periodic_worker(t)];
  await Promise.all(workers.map(({registration}) => registration.periodicSync.register('tag')));
  await until_due();
  for (const worker of workers) {
    const event = await worker.next_event();
    assert_equals(event.tag, 'tag');
    await event.fulfil();
    await worker.assert_no_event('one event for each');
  }
}, 'The same tag at two registrations is two syncs');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await go_offline(t);
  await until_due();
  await worker.assert_no_event('nothing fires while offline');
  await go_online();
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'A tag that is due while offline fires when the browser is online');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await go_offline(t);
  await test_driver.advance_time(10 * day);
  await go_online();
  await (await worker.next_event()).fulfil();
  await worker.assert_no_event('it fires once');
}, 'A tag that was due several times while offline fires once');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await worker.registration.periodicSync.unregister('tag');
  await until_due();
  await worker.assert_no_event('it is not registered');
}, 'A tag that was unregistered does not fire');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  const event = await worker.next_event();
  await worker.registration.periodicSync.unregister('tag');
  assert_array_equals(await worker.periodic_tags(), []);
  await event.fulfil();
  await worker.barrier();
  await until_due();
  await worker.assert_no_event('it is not registered');
  assert_array_equals(await worker.periodic_tags(), []);
}, 'A tag that is unregistered during its event does not fire again');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  const event = await worker.next_event();
  await worker.registration.periodicSync.unregister('tag');
  await event.reject();
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('there is no retry');
}, 'A tag that is unregistered during its event is not tried again when the event fails');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await test_driver.stop_service_worker(worker.scope);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A worker that does not run is started for the event');

promise_test(async t => {
  const worker = await start_periodic_worker(t, {script: 'empty-worker.js'});
  await worker.registration.periodicSync.register('tag');
  await until_due();
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'A tag of a worker without a listener stays');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await navigator.serviceWorker.register(`${sync_resources}controlled-worker.js?second`,
    {scope: worker.scope});
  await until_active(worker.registration);
  assert_array_equals(await worker.periodic_tags(), ['tag'], 'an update leaves the tags');
  await until_due();
  assert_equals((await worker.next_event()).worker, '?second');
}, 'The event goes to the worker that is active when it fires');
