// META: title=Background Sync: without a network
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  assert_array_equals(await worker.tags(), ['tag']);
}, 'register() succeeds while offline');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.assert_no_event('nothing fires while offline');
  assert_array_equals(await worker.tags(), ['tag']);
}, 'A tag does not fire while offline');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.assert_no_event();
  await go_online();
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  assert_equals(event.lastChance, false);
  await event.fulfil();
  await worker.tags_become([]);
}, 'A tag that was registered offline fires when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await test_driver.advance_time(day);
  await worker.register('tag');
  await test_driver.advance_time(day);
  await worker.assert_no_event('time does not replace a network');
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag waits for the network, however long it takes');

promise_test(async t => {
  const worker = await start_worker(t);
  const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  await go_offline(t);
  for (const tag of tags) {
    await worker.register(tag);
  }
  assert_array_equals(await worker.tags(), tags);
  await go_online();
  const events = await worker.next_events(tags.length);
  assert_array_equals(events.map(event => event.tag).sort(), tags);
  await Promise.all(events.map(event => event.fulfil()));
  await worker.tags_become([]);
  await worker.assert_no_event('each fires once');
}, 'All tags that were registered offline fire when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.register('tag');
  await Promise.all([worker.register('tag'), worker.register('tag')]);
  assert_array_equals(await worker.tags(), ['tag']);
  await go_online();
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
  await worker.assert_no_event('it fires once');
}, 'A tag that is registered several times while it is pending fires once');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  for (const tag of ['c', 'a', 'b', 'a', 'c']) {
    await worker.register(tag);
  }
  assert_array_equals(await worker.tags(), ['c', 'a', 'b']);
}, 'A tag that is registered again while it is pending keeps its place in the list');

promise_test(async t => {
  const workers = [await start_worker(t), await start_worker(t)];
  await go_offline(t);
  await Promise.all(workers.map(worker => worker.register('tag')));
  await Promise.all(workers.map(worker => worker.assert_no_event()));
  await go_online();
  const events = await Promise.all(workers.map(worker => worker.next_event()));
  assert_array_equals(events.map(event => event.tag), ['tag', 'tag']);
}, 'The tags of all service workers fire when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await go_offline(t);
  await event.fulfil();
  await worker.tags_become([], 'the handler succeeded');
}, 'An event that began online and succeeds offline is done');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await go_offline(t);
  await event.reject();
  await worker.assert_no_event('nothing fires while offline');
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('nothing fires while offline, after the back-off either');
  assert_array_equals(await worker.tags(), ['tag']);
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A retry that is due while offline fires when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await go_offline(t);
  await worker.register('tag');
  await event.fulfil();
  await worker.assert_no_event('nothing fires while offline');
  assert_array_equals(await worker.tags(), ['tag']);
  await go_online();
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
}, 'A tag that was registered again during its event, which ends offline, fires when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await go_online();
  await worker.next_event();
  await go_offline(t);
  await worker.register('other');
  await worker.assert_no_event('nothing fires while offline');
  await go_online();
  assert_equals((await worker.next_event()).tag, 'other');
}, 'A browser can be offline and online several times');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  assert_equals(await worker.call('register', 'tag'), undefined);
  assert_array_equals(await worker.call('get_tags'), ['tag']);
  await worker.assert_no_event();
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A service worker can register while offline');
