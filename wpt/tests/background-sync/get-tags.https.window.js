// META: title=Background Sync: getTags()
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  const tags = await worker.registration.sync.getTags();
  assert_true(Array.isArray(tags));
  assert_array_equals(tags, []);
}, 'getTags() gives an empty array when nothing is registered');

promise_test(async t => {
  const worker = await start_worker(t);
  const {sync} = worker.registration;
  const first = await sync.getTags();
  first.push('added by the page');
  const second = await sync.getTags();
  assert_not_equals(first, second);
  assert_array_equals(second, []);
}, 'getTags() gives a new array each time');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  assert_equals(worker.registration.active, null);
  assert_array_equals(await worker.registration.sync.getTags(), []);
  await worker.call_on(worker.registration.installing, 'release');
}, 'getTags() needs no active worker');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.registration.unregister();
  assert_array_equals(await worker.registration.sync.getTags(), []);
}, 'getTags() of an unregistered service worker gives an empty array');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_array_equals(await worker.tags(), ['tag']);
  await event.fulfil();
}, 'getTags() has a tag whose event is being handled');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_array_equals(await worker.call('get_tags'), ['tag']);
  await event.fulfil();
  await worker.tags_become([]);
  assert_array_equals(await worker.call('get_tags'), []);
}, 'getTags() in the service worker gives the same, in the event too');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  assert_array_equals(await worker.tags(), ['tag']);
}, 'getTags() has a tag that waits for a retry');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.register('tag');
  assert_array_equals(await worker.tags(), ['tag']);
  await event.fulfil();
}, 'getTags() has a tag once that is registered again while its event is being handled');

promise_test(async t => {
  const workers = [await start_worker(t), await start_worker(t)];
  await workers[0].register('first');
  await workers[1].register('second');
  assert_array_equals(await workers[0].tags(), ['first']);
  assert_array_equals(await workers[1].tags(), ['second']);
}, 'getTags() has the tags of this registration alone');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const same = await navigator.serviceWorker.getRegistration(worker.scope);
  assert_array_equals(await same.sync.getTags(), ['tag']);
}, 'getTags() of an object that stands for the same registration gives the same');

promise_test(async t => {
  const worker = await start_worker(t);
  const tags = ['zebra', 'apple', '10', '9', 'Apple', '', 'mango'];
  for (const tag of tags) {
    await worker.register(tag);
  }
  assert_array_equals(await worker.tags(), tags);
}, 'getTags() gives the tags in the order in which they were registered');

promise_test(async t => {
  const worker = await start_worker(t);
  for (const tag of ['c', 'a', 'b']) {
    await worker.register(tag);
  }
  await (await worker.next_event('a')).fulfil();
  await worker.tags_become(['c', 'b'], 'the others keep their order');
  await worker.register('a');
  assert_array_equals(await worker.tags(), ['c', 'b', 'a']);
}, 'A tag that succeeded and is registered anew comes last');
