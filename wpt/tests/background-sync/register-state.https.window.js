// META: title=Background Sync: register() and the state of the worker
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  assert_equals(worker.registration.active, null);
  await promise_rejects_dom(t, 'InvalidStateError', worker.register('tag'));
  assert_array_equals(await worker.tags(), []);
  await worker.call_on(worker.registration.installing, 'release');
}, 'register() is rejected while the first worker is installing');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  const installing = worker.registration.installing;
  await promise_rejects_dom(t, 'InvalidStateError', worker.register('tag'));
  await worker.call_on(installing, 'release');
  await until_state(installing, 'activated');
  await worker.assert_no_event('what was rejected does not fire');
  assert_array_equals(await worker.tags(), []);
}, 'A tag that was rejected is not registered when the worker becomes active');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=fail'});
  const installing = worker.registration.installing;
  await until_state(installing, 'redundant');
  await promise_rejects_dom(t, 'InvalidStateError', worker.register('tag'));
}, 'register() is rejected when the worker could not be installed');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?activate=hold'});
  const activating = worker.registration.installing;
  await until_state(activating, 'activating');
  await worker.register('tag');
  assert_array_equals(await worker.tags(), ['tag']);
  assert_equals(activating.state, 'activating');
  worker.assert_nothing_untaken('nothing fires before the worker is activated');
  await worker.call_on(activating, 'release');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  assert_equals(activating.state, 'activated');
}, 'register() succeeds while the active worker is activating, and the event waits until it is activated');

promise_test(async t => {
  const worker = await start_worker(t);
  const {registration} = worker;
  await navigator.serviceWorker.register(`${sync_resources}controlled-worker.js?install=hold`,
    {scope: worker.scope});
  assert_not_equals(registration.installing, null);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.worker, '', 'the active worker gets the event');
  await event.fulfil();
  await worker.tags_become([]);
  await worker.call_on(registration.installing, 'release');
}, 'register() succeeds while there is an active worker and a new one is installing');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.registration.unregister();
  await promise_rejects_dom(t, 'InvalidStateError', worker.register('tag'));
}, 'register() is rejected after the service worker was unregistered');

promise_test(async t => {
  const worker = await start_worker(t);
  const old = worker.registration;
  await old.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await promise_rejects_dom(t, 'InvalidStateError', old.sync.register('tag'));
  assert_array_equals(await again.tags(), []);
}, 'A SyncManager of a registration that is gone does not register with the one that took its place');

promise_test(async t => {
  const worker = await start_worker(t);
  const old = worker.registration;
  await old.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await again.register('tag');
  const event = await again.next_event();
  assert_array_equals(await old.sync.getTags(), []);
  assert_array_equals(await again.tags(), ['tag']);
  await event.fulfil();
}, 'A SyncManager of a registration that is gone has no tags of the one that took its place');

promise_test(async t => {
  const worker = await start_worker(t, {script: 'controlled-worker.js?install-registers=tag'});
  assert_equals(await worker.call('outcome', 'install'), 'InvalidStateError');
  assert_array_equals(await worker.tags(), []);
}, 'register() in the install event of the first worker is rejected');

promise_test(async t => {
  const worker = await start_worker(t, {script: 'controlled-worker.js?activate-registers=tag'});
  assert_equals(await worker.call('outcome', 'activate'), 'registered');
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'register() in the activate event succeeds');
