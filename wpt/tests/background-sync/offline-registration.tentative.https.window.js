// META: title=Background Sync: one service worker without a network
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// What developer tools offer: to be offline for one service worker.

promise_test(async t => {
  const [held, free] = [await start_worker(t), await start_worker(t)];
  await go_offline(t, held.scope);
  await held.register('held');
  await free.register('free');
  assert_equals((await free.next_event()).tag, 'free');
  await held.assert_no_event('nothing fires at the one that is offline');
  await go_online(held.scope);
  assert_equals((await held.next_event()).tag, 'held');
}, 'A tag of a service worker that is offline waits, and those of others fire');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t, worker.scope);
  await worker.register('tag');
  await go_offline(t);
  await go_online(worker.scope);
  await worker.assert_no_event('the browser is offline still');
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag waits until neither the browser nor its service worker is offline');
