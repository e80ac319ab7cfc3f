// META: title=Background Sync: the service worker is terminated
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await test_driver.stop_service_worker(worker.scope);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
  await worker.tags_become([]);
}, 'A worker that does not run is started for the event');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.barrier();
  await test_driver.stop_service_worker(worker.scope);
  assert_array_equals(await worker.tags(), ['tag']);
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag outlives the worker that was running when it was registered');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  await test_driver.stop_service_worker(worker.scope);
  await worker.barrier();
  assert_array_equals(await worker.tags(), ['tag'], 'the tag waits for a retry');
  await test_driver.advance_time(longer_than_any_back_off);
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
  await worker.tags_become([]);
}, 'An event whose worker is terminated has failed, and is tried again');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  await worker.register('tag');
  await test_driver.stop_service_worker(worker.scope);
  const event = await worker.next_event();
  await event.fulfil();
  await worker.tags_become([]);
}, 'A tag that was registered again during an event whose worker is terminated fires again');
