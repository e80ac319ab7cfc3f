// META: title=Periodic Background Sync: what windows see
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

promise_test(async t => {
  const {registration} = await start_worker(t);
  assert_true(registration.periodicSync instanceof PeriodicSyncManager);
  assert_equals(Object.prototype.toString.call(registration.periodicSync), '[object PeriodicSyncManager]');
}, 'registration.periodicSync is a PeriodicSyncManager');

promise_test(async t => {
  const {registration} = await start_worker(t);
  assert_equals(registration.periodicSync, registration.periodicSync);
}, 'registration.periodicSync is the same object each time');

promise_test(async t => {
  const [first, second] = [await start_worker(t), await start_worker(t)];
  assert_not_equals(first.registration.periodicSync, second.registration.periodicSync);
}, 'Each service worker registration has a PeriodicSyncManager of its own');

promise_test(async t => {
  const {registration} = await start_worker(t);
  const manager = registration.periodicSync;
  assert_throws_js(TypeError, () => { registration.periodicSync = null; });
  assert_equals(registration.periodicSync, manager);
}, 'registration.periodicSync cannot be set');

test(() => {
  assert_throws_js(TypeError, () => new PeriodicSyncManager());
}, 'A PeriodicSyncManager cannot be constructed');

test(() => {
  assert_false('PeriodicSyncEvent' in self);
}, 'PeriodicSyncEvent is not exposed to windows');

promise_test(async t => {
  const {registration} = await start_periodic_worker(t);
  assert_equals(await registration.periodicSync.register('tag'), undefined);
  assert_equals(await registration.periodicSync.unregister('tag'), undefined);
}, 'register() and unregister() give promises of undefined');

promise_test(async t => {
  const {registration} = await start_periodic_worker(t);
  await promise_rejects_js(t, TypeError, registration.periodicSync.register());
  await promise_rejects_js(t, TypeError, registration.periodicSync.unregister());
  assert_array_equals(await registration.periodicSync.getTags(), []);
}, 'register() and unregister() without a tag give promises that are rejected with a TypeError');

promise_test(async t => {
  const {prototype} = PeriodicSyncManager;
  await promise_rejects_js(t, TypeError, prototype.register.call({}, 'tag'));
  await promise_rejects_js(t, TypeError, prototype.getTags.call({}));
  await promise_rejects_js(t, TypeError, prototype.unregister.call({}, 'tag'));
}, 'The methods of PeriodicSyncManager called on something else give promises that are rejected');
