// META: title=Background Sync: register() while the event of the tag is being handled
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.register('tag');
  await event.fulfil();
  const again = await worker.next_event();
  assert_equals(again.tag, 'tag');
  await again.fulfil();
  await worker.tags_become([]);
}, 'A tag that is registered during its event fires again when the event succeeds');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.register('tag');
  await event.reject();
  const again = await worker.next_event();
  assert_equals(again.tag, 'tag');
  await again.fulfil();
  await worker.tags_become([]);
}, 'A tag that is registered during its event fires again at once when the event fails');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  await worker.register('tag');
  await worker.assert_no_event('the first event has not ended');
}, 'A tag that is registered during its event does not fire before the event has ended');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  for (let times = 0; times < 5; ++times) {
    await worker.register('tag');
  }
  await event.fulfil();
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
  await worker.assert_no_event('it fires once more, and not five times');
}, 'A tag that is registered several times during its event fires once more');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.register('tag');
  await event.fulfil();
  const again = await worker.next_event();
  assert_array_equals(await worker.tags(), ['tag']);
  assert_equals(again.lastChance, false);
  await again.fulfil();
}, 'A tag that fires again is in the list, and it is not its last chance');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.call('register_and_settle', 'tag', event.id, 'fulfil');
  const again = await worker.next_event();
  await again.fulfil();
  await worker.tags_become([]);
}, 'A handler that registers its own tag and succeeds is called again');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.call('register', 'other');
  const other = await worker.next_event();
  assert_equals(other.tag, 'other', 'the other one does not wait for the first');
  await event.fulfil();
  await worker.tags_become(['other']);
  await other.fulfil();
  await worker.tags_become([]);
}, 'A handler that registers another tag does not fire again itself');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.register('tag');
  await event.fulfil();
  const second = await worker.next_event();
  await second.reject();
  await worker.assert_no_event('a failure of the second event is followed by a back-off');
  assert_array_equals(await worker.tags(), ['tag']);
  await test_driver.advance_time(longer_than_any_back_off);
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
}, 'The event that follows is tried again when it fails');
