// META: title=Background Sync: what the browser notes about tags
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// Not in the specification: a developer can see why a tag has fired, or has not.

// What was noted about a tag, without what the network did meanwhile.
async function noted(worker, tag = 'tag') {
  const entries = await test_driver.get_sync_log(worker.scope);
  return entries.filter(entry => entry.tag === tag).map(entry => entry.what);
}

// Waits until this is what was noted last.
async function until_noted_last(worker, expected) {
  await until_equal(async () => (await noted(worker)).slice(-1), [expected]);
}

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).fulfil();
  await until_noted_last(worker, 'completed');
  const entries = (await test_driver.get_sync_log(worker.scope)).filter(entry => entry.tag === 'tag');
  assert_array_equals(entries.map(entry => entry.what), ['registered', 'dispatched', 'finished', 'completed']);
  for (const entry of entries) {
    assert_equals(entry.scope, worker.scope);
    assert_equals(entry.kind, 'one-shot');
    assert_false(entry.failed);
    assert_false(Number.isNaN(Date.parse(entry.time)));
  }
}, 'A tag that fired: registered, dispatched, finished');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await until_noted_last(worker, 'retry-scheduled');
  assert_array_equals(await noted(worker), ['registered', 'dispatched', 'finished', 'retry-scheduled']);
  const finished = (await test_driver.get_sync_log(worker.scope)).find(entry => entry.what === 'finished');
  assert_true(finished.failed);
  assert_true(finished.text.includes('rejected by the test'), 'the reason is noted');
}, 'A tag whose event failed: with which error, and when it is tried again');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.register('tag');
  const is_noted = async () =>
    ['held', 'reregistered'].filter(Set.prototype.has, new Set(await noted(worker)));
  await until_equal(is_noted, ['held', 'reregistered']);
  assert_false((await noted(worker)).includes('dispatched'));
}, 'A tag that waits for the network');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (let last = false; !last;) {
    const event = await worker.next_event();
    last = event.lastChance;
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
  await until_noted_last(worker, 'dropped');
  const what = await noted(worker);
  assert_equals(what.filter(it => it === 'dispatched').length,
    what.filter(it => it === 'finished').length);
}, 'A tag that was dropped after its last attempt');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await set_permission(t, 'background-sync', 'denied');
  await until_noted_last(worker, 'dropped');
}, 'A tag that was dropped because the permission was revoked');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.registration.unregister();
  await until_noted_last(worker, 'dropped');
}, 'A tag that was dropped because its service worker was unregistered');
