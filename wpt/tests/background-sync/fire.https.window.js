// META: title=Background Sync: the sync event
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.type, 'sync');
  assert_equals(event.tag, 'tag');
}, 'A tag fires while online: a sync event with this tag');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.interface, '[object SyncEvent]');
  assert_true(event.is_extendable);
}, 'The event is a SyncEvent, which is an ExtendableEvent');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_true(event.isTrusted);
  assert_false(event.bubbles);
  assert_false(event.cancelable);
  assert_true(event.target_is_global);
}, 'The event is trusted, does not bubble, cannot be cancelled, and its target is the global');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  assert_equals((await worker.next_event()).lastChance, false);
}, 'lastChance is false when a failure is followed by a retry');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await event.fulfil();
  await worker.tags_become([], 'the tag is removed');
  await worker.assert_no_event('a tag that succeeded does not fire again');
}, 'A tag fires once, and is removed when its event succeeds');

promise_test(async t => {
  const worker = await start_worker(t);
  const tags = ['a', 'b', 'c', 'd', 'e'];
  await Promise.all(tags.map(tag => worker.register(tag)));
  const events = await worker.next_events(tags.length);
  assert_array_equals(events.map(event => event.tag).sort(), tags);
  await Promise.all(events.map(event => event.fulfil()));
  await worker.tags_become([]);
  await worker.assert_no_event('each has fired once');
}, 'Each tag gets an event of its own');

promise_test(async t => {
  const worker = await start_worker(t);
  for (let round = 0; round < 3; ++round) {
    await worker.register('tag');
    const event = await worker.next_event();
    assert_equals(event.tag, 'tag');
    await event.fulfil();
    await worker.tags_become([]);
  }
}, 'A tag that succeeded can be registered anew, and fires again');

promise_test(async t => {
  const [first, second] = [await start_worker(t), await start_worker(t)];
  await first.register('tag');
  const event = await first.next_event();
  await second.assert_no_event('the other worker gets no event');
  assert_array_equals(await second.tags(), []);
  await event.fulfil();
}, 'An event goes to the service worker at whose registration the tag was registered, and to no other');

promise_test(async t => {
  const workers = [await start_worker(t), await start_worker(t)];
  await Promise.all(workers.map(worker => worker.register('tag')));
  const [first, second] = await Promise.all(workers.map(worker => worker.next_event()));
  await first.fulfil();
  await workers[0].tags_become([]);
  assert_array_equals(await workers[1].tags(), ['tag'], 'the other one still fires');
  await second.fulfil();
  await workers[1].tags_become([]);
}, 'The same tag at two registrations is two syncs');

promise_test(async t => {
  const scope = unique_scope();
  const [outer, inner] = [await start_worker(t, {scope}), await start_worker(t, {scope: `${scope}/inner`})];
  await outer.register('outer');
  await inner.register('inner');
  assert_equals((await outer.next_event()).tag, 'outer');
  assert_equals((await inner.next_event()).tag, 'inner');
  await outer.assert_no_event('one event');
  await inner.assert_no_event('one event');
}, 'A scope within another scope does not take its events');

promise_test(async t => {
  const worker = await start_worker(t, {script: 'listeners-worker.js'});
  await worker.register('tag');
  const {called} = await worker.next_event('tag');
  assert_array_equals(called,
    ['first listener', 'onsync', 'listener object', 'throwing listener', 'once', 'last listener']);
  await worker.tags_become([]);
}, 'All listeners are called, in order, onsync among them');

promise_test(async t => {
  const worker = await start_worker(t, {script: 'listeners-worker.js'});
  await worker.register('first');
  await worker.next_event('first');
  await worker.register('second');
  const {called} = await worker.next_event('second');
  assert_false(called.includes('periodicsync'), 'the event has another type than periodicsync');
  await worker.tags_become([]);
}, 'A sync event is no periodicsync event');

promise_test(async t => {
  const worker = await start_worker(t, {script: 'empty-worker.js'});
  await worker.register('tag');
  await worker.tags_become([], 'there is nothing that could fail');
}, 'A tag of a worker without a listener is removed');

promise_test(async t => {
  const worker = await start_worker(t);
  await Promise.all([worker.register('tag'), worker.register('tag'), worker.register('tag')]);
  const event = await worker.next_event();
  assert_array_equals(await worker.tags(), ['tag']);
  await event.fulfil();
}, 'A tag that is registered several times is in the list once');
