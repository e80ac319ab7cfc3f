// META: title=Background Sync: fetches and navigator.onLine while offline
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// What the tests of this folder mean by offline.

function resource() {
  return `${sync_resources}blank.html?${unique_name()}`;
}

promise_test(async t => {
  await fetch(resource());
  await go_offline(t);
  await promise_rejects_js(t, TypeError, fetch(resource()));
  await go_online();
  assert_true((await fetch(resource())).ok);
}, 'fetch() fails while offline');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.call('fetch', resource());
  await go_offline(t);
  const error = await worker.call('fetch', resource()).catch(error => error);
  assert_equals(error.name, 'TypeError');
}, 'fetch() in the service worker fails while offline');

promise_test(async t => {
  assert_true(navigator.onLine);
  const watcher = new EventWatcher(t, window, ['online', 'offline']);
  await Promise.all([watcher.wait_for('offline'), go_offline(t)]);
  assert_false(navigator.onLine);
  await Promise.all([watcher.wait_for('online'), go_online()]);
  assert_true(navigator.onLine);
}, 'navigator.onLine tells it, and the window fires offline and online');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(await worker.call('fetch', resource()), 200);
  await event.fulfil();
}, 'fetch() in a sync event succeeds');
