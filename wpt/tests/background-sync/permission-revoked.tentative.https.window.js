// META: title=Background Sync: the permission is revoked
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// The specification leaves open what a revocation does to what is registered already; the one of Periodic
// Background Sync says that it removes all.

const name = 'background-sync';

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await set_permission(t, name, 'denied');
  await worker.tags_become([], 'the tag is removed');
}, 'A revocation removes what is pending');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await set_permission(t, name, 'denied');
  await set_permission(t, name, 'granted');
  await go_online();
  await worker.assert_no_event('what was removed does not come back');
  assert_array_equals(await worker.tags(), []);
}, 'What a revocation removed does not come back when the permission is granted');

promise_test(async t => {
  const workers = [await start_worker(t), await start_worker(t)];
  await go_offline(t);
  await Promise.all(workers.map(worker => worker.register('tag')));
  await set_permission(t, name, 'denied');
  await Promise.all(workers.map(worker => worker.tags_become([])));
}, 'A revocation removes the tags of all service workers of the origin');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await set_permission(t, name, 'denied');
  await worker.tags_become([]);
  await set_permission(t, name, 'granted');
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('there is no retry');
}, 'A revocation removes what waits for a retry');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await set_permission(t, name, 'denied');
  await worker.tags_become([]);
  await event.reject();
  await set_permission(t, name, 'granted');
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('there is no retry');
  assert_array_equals(await worker.tags(), []);
}, 'A revocation removes what is firing, and a failure of its event is not retried');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await set_permission(t, name, 'denied');
  await worker.tags_become([]);
  await set_permission(t, name, 'granted');
  await worker.register('tag');
  await event.fulfil();
  const again = await worker.next_event();
  assert_equals(again.tag, 'tag');
  await again.fulfil();
  await worker.tags_become([]);
}, 'A tag that is registered anew after a revocation fires, whatever becomes of the event before');
