// META: title=Background Sync: the permission
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

const name = 'background-sync';

promise_test(async () => {
  const status = await navigator.permissions.query({name});
  assert_true(status instanceof PermissionStatus);
  assert_equals(status.name, name);
}, 'The permission "background-sync" can be queried');

promise_test(async () => {
  assert_equals((await navigator.permissions.query({name})).state, 'granted');
}, 'The permission is granted by default');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied');
  await promise_rejects_dom(t, 'NotAllowedError', worker.register('tag'));
}, 'register() is rejected when the permission is denied');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied');
  await promise_rejects_dom(t, 'NotAllowedError', worker.register('tag'));
  assert_array_equals(await worker.tags(), []);
  await set_permission(t, name, 'granted');
  await worker.assert_no_event('a tag that was refused does not fire later');
  assert_array_equals(await worker.tags(), []);
}, 'A tag that was refused for want of permission is not registered');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied');
  await promise_rejects_dom(t, 'NotAllowedError', worker.call('register', 'tag').catch(error => {
    throw new DOMException(error.message, error.name);
  }));
}, 'register() in the service worker is rejected when the permission is denied');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied');
  await promise_rejects_dom(t, 'NotAllowedError', worker.register('tag'));
  await set_permission(t, name, 'granted');
  await worker.register('tag');
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'register() succeeds when the permission is granted again');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  await set_permission(t, name, 'denied');
  await promise_rejects_dom(t, 'InvalidStateError', worker.register('tag'));
  await worker.call_on(worker.registration.installing, 'release');
}, 'That there is an active worker is checked before the permission');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied');
  assert_array_equals(await worker.tags(), []);
}, 'getTags() needs no permission');

promise_test(async t => {
  await set_permission(t, name, 'denied');
  assert_equals((await navigator.permissions.query({name})).state, 'denied');
  await set_permission(t, name, 'granted');
  assert_equals((await navigator.permissions.query({name})).state, 'granted');
}, 'query() tells the state of the permission');

promise_test(async t => {
  const worker = await start_worker(t);
  assert_equals(await worker.call('permission_state', name), 'granted');
  await set_permission(t, name, 'denied');
  assert_equals(await worker.call('permission_state', name), 'denied');
}, 'query() in the service worker tells the state of the permission');

promise_test(async t => {
  const status = await navigator.permissions.query({name});
  const watcher = new EventWatcher(t, status, 'change');
  const denied = watcher.wait_for('change');
  await set_permission(t, name, 'denied');
  await denied;
  assert_equals(status.state, 'denied');
  const granted = watcher.wait_for('change');
  await set_permission(t, name, 'granted');
  await granted;
  assert_equals(status.state, 'granted');
}, 'A PermissionStatus fires change when the permission is denied and when it is granted');

promise_test(async t => {
  const status = await navigator.permissions.query({name});
  let changes = 0;
  status.onchange = () => { ++changes; };
  await set_permission(t, name, 'granted');
  await set_permission(t, 'periodic-background-sync', 'granted', 'denied');
  const denied = new Promise(resolve => status.addEventListener('change', resolve, {once: true}));
  await set_permission(t, name, 'denied');
  await denied;
  assert_equals(changes, 1);
}, 'A PermissionStatus fires change neither when nothing changes nor for the permission of periodic sync');
