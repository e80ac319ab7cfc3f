// META: title=Background Sync: what windows see
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const {registration} = await start_worker(t);
  assert_true(registration.sync instanceof SyncManager);
  assert_equals(Object.prototype.toString.call(registration.sync), '[object SyncManager]');
}, 'registration.sync is a SyncManager');

promise_test(async t => {
  const {registration} = await start_worker(t);
  assert_equals(registration.sync, registration.sync);
}, 'registration.sync is the same object each time');

promise_test(async t => {
  const [first, second] = [await start_worker(t), await start_worker(t)];
  assert_not_equals(first.registration.sync, second.registration.sync);
}, 'Each service worker registration has a SyncManager of its own');

promise_test(async t => {
  const worker = await register_worker(t);
  assert_true(worker.registration.sync instanceof SyncManager);
  await until_active(worker.registration);
}, 'registration.sync is there before the worker is active');

promise_test(async t => {
  const {registration} = await start_worker(t);
  const manager = registration.sync;
  assert_throws_js(TypeError, () => { registration.sync = null; });
  assert_equals(registration.sync, manager);
}, 'registration.sync cannot be set');

test(() => {
  assert_throws_js(TypeError, () => new SyncManager());
}, 'A SyncManager cannot be constructed');

test(() => {
  assert_false('SyncEvent' in self);
}, 'SyncEvent is not exposed to windows');

promise_test(async t => {
  const {registration} = await start_worker(t);
  const promise = registration.sync.register('tag');
  assert_true(promise instanceof Promise);
  assert_equals(await promise, undefined);
}, 'register() gives a promise of undefined');

promise_test(async t => {
  const {registration} = await start_worker(t);
  await promise_rejects_js(t, TypeError, registration.sync.register());
  assert_array_equals(await registration.sync.getTags(), []);
}, 'register() without a tag gives a promise that is rejected with a TypeError');

promise_test(async t => {
  await promise_rejects_js(t, TypeError, SyncManager.prototype.register.call({}, 'tag'));
  await promise_rejects_js(t, TypeError, SyncManager.prototype.getTags.call({}));
}, 'The methods of SyncManager called on something else give promises that are rejected');
