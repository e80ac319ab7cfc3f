// META: title=Periodic Background Sync: the permission
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

const name = 'periodic-background-sync';

promise_test(async () => {
  const status = await navigator.permissions.query({name});
  assert_equals(status.name, name);
  assert_true(status instanceof PermissionStatus);
}, 'The permission "periodic-background-sync" can be queried');

for (const state of ['denied', 'prompt']) {
  promise_test(async t => {
    const worker = await start_worker(t);
    await set_permission(t, name, state, 'denied');
    await promise_rejects_dom(t, 'NotAllowedError', worker.registration.periodicSync.register('tag'));
    assert_array_equals(await worker.periodic_tags(), []);
  }, `register() is rejected when the permission is "${state}"`);
}

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'granted', 'denied');
  await worker.registration.periodicSync.register('tag');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'register() succeeds when the permission is granted');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied', 'denied');
  const error = await worker.call('periodic_register', 'tag').catch(error => error);
  assert_equals(error.name, 'NotAllowedError');
}, 'register() in the service worker is rejected when the permission is denied');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  const {registration} = worker;
  await set_permission(t, name, 'denied', 'denied');
  await promise_rejects_dom(t, 'InvalidStateError', registration.periodicSync.register('tag'));
  await worker.call_on(registration.installing, 'release');
}, 'That there is an active worker is checked before the permission');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied', 'denied');
  assert_array_equals(await worker.periodic_tags(), []);
  await worker.registration.periodicSync.unregister('tag');
}, 'getTags() and unregister() need no permission');

promise_test(async t => {
  const status = await navigator.permissions.query({name});
  const watcher = new EventWatcher(t, status, 'change');
  if (status.state !== 'denied') {
    await Promise.all([watcher.wait_for('change'), set_permission(t, name, 'denied', 'denied')]);
  }
  await Promise.all([watcher.wait_for('change'), set_permission(t, name, 'granted', 'denied')]);
  assert_equals(status.state, 'granted');
  assert_equals((await navigator.permissions.query({name})).state, 'granted');
  await Promise.all([watcher.wait_for('change'), set_permission(t, name, 'denied', 'denied')]);
  assert_equals(status.state, 'denied');
  assert_equals((await navigator.permissions.query({name})).state, 'denied');
}, 'query() tells the state, and a PermissionStatus fires change');

promise_test(async t => {
  const worker = await start_worker(t);
  await set_permission(t, name, 'denied', 'denied');
  assert_equals(await worker.call('permission_state', name), 'denied');
  await set_permission(t, name, 'granted', 'denied');
  assert_equals(await worker.call('permission_state', name), 'granted');
}, 'query() in the service worker tells the state');

promise_test(async t => {
  const workers = [await start_periodic_worker(t), await start_periodic_worker(t)];
  await Promise.all(workers.map(({registration}) => registration.periodicSync.register('tag')));
  await set_permission(t, name, 'denied', 'denied');
  const tags = async () => (await Promise.all(workers.map(worker => worker.periodic_tags()))).flat();
  await until_equal(tags, [], 'all are removed');
}, 'A revocation removes all tags of the origin');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await set_permission(t, name, 'denied', 'denied');
  await set_permission(t, name, 'granted', 'denied');
  assert_array_equals(await worker.periodic_tags(), []);
  await until_due();
  await worker.assert_no_event('what was removed does not come back');
}, 'What a revocation removed does not come back when the permission is granted');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag');
  await until_due();
  const event = await worker.next_event();
  await set_permission(t, name, 'denied', 'denied');
  await until_equal(() => worker.periodic_tags(), []);
  await event.reject();
  await set_permission(t, name, 'granted', 'denied');
  await until_due();
  await worker.assert_no_event('a failure is not tried again');
  assert_array_equals(await worker.periodic_tags(), []);
}, 'A revocation removes a tag whose event is being handled');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await go_offline(t);
  await worker.register('one-shot');
  await set_permission(t, name, 'denied', 'denied');
  assert_array_equals(await worker.tags(), ['one-shot']);
  await go_online();
  assert_equals((await worker.next_event()).tag, 'one-shot');
}, 'The revocation of this permission leaves one-shot syncs');
