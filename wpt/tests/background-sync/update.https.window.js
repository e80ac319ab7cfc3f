// META: title=Background Sync: the service worker is updated
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// Registers another script, which is an update of the worker, and waits until its worker is in the state.
async function update(worker, parameters, state) {
  await navigator.serviceWorker.register(`${sync_resources}controlled-worker.js?${parameters}`,
    {scope: worker.scope});
  const {installing, waiting, active} = worker.registration;
  const updated = [installing, waiting, active].find(it => it && it.scriptURL.includes(parameters));
  await until_state(updated, state);
  return updated;
}

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await update(worker, 'second', 'activated');
  assert_array_equals(await worker.tags(), ['tag']);
}, 'An update of the worker leaves the tags');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const first = await worker.next_event();
  assert_equals(first.worker, '');
  await first.reject();
  await worker.barrier();
  await update(worker, 'second', 'activated');
  await test_driver.advance_time(longer_than_any_back_off);
  const event = await worker.next_event();
  assert_equals(event.worker, '?second');
  await event.fulfil();
  await worker.tags_become([]);
}, 'The event goes to the worker that is active when it fires');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await update(worker, 'second', 'activated');
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.worker, '?second');
}, 'A tag that an old worker failed to handle can be registered again for the new one');

promise_test(async t => {
  const worker = await start_worker(t);
  await update(worker, 'install=fail', 'redundant');
  await worker.register('tag');
  assert_equals((await worker.next_event()).worker, '');
}, 'An update that fails leaves the events to the old worker');

promise_test(async t => {
  const worker = await start_worker(t);
  const installing = await update(worker, 'install=hold', 'installing');
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.worker, '', 'a worker that is installing gets no event');
  await event.fulfil();
  await worker.tags_become([]);
  await worker.call_on(installing, 'release');
  await until_state(installing, 'activated');
  await worker.register('tag');
  assert_equals((await worker.next_event()).worker, '?install=hold');
}, 'A new worker gets events when it is active, and not while it is installing');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  const second = await update(worker, 'second', 'installed');
  assert_equals(worker.registration.waiting, second, 'it waits for the event of the first worker');
  await event.fulfil();
  await until_state(second, 'activated');
  await worker.tags_become([], 'the event of the old worker counts');
  await worker.register('tag');
  assert_equals((await worker.next_event()).worker, '?second');
}, 'A new worker waits until the old one has handled its event');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  const second = await update(worker, 'second', 'installed');
  await worker.register('tag');
  await event.fulfil();
  await until_state(second, 'activated');
  const again = await worker.next_event();
  assert_equals(again.tag, 'tag');
  await again.fulfil();
  await worker.tags_become([]);
}, 'A tag that was registered again during the event of the old worker fires after the update');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  const second = await update(worker, 'second', 'installed');
  await worker.call_on(second, 'skip_waiting');
  assert_equals(worker.registration.waiting, second, 'it waits for the event of the first worker');
  await event.fulfil();
  await until_state(second, 'activated');
  await worker.tags_become([], 'the event of the old worker counts');
}, 'A new worker that calls skipWaiting() waits until the old one has handled its event');
