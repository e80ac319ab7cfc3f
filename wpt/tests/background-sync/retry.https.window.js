// META: title=Background Sync: events that fail
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// Lets the event of the tag fail until it is the last attempt, and gives that.
async function last_attempt(worker, most = 100) {
  for (let attempt = 1; attempt <= most; ++attempt) {
    const event = await worker.next_event();
    if (event.lastChance) {
      return {event, attempt};
    }
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
  assert_unreached('there is a last attempt');
}

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  const event = await worker.next_event();
  assert_equals(event.type, 'sync');
  assert_equals(event.tag, 'tag');
}, 'An event that failed is tried again after some time');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.assert_no_event('it does not fire again at once');
  assert_array_equals(await worker.tags(), ['tag']);
}, 'An event that failed is not tried again at once, and its tag stays');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('there is no further attempt');
}, 'A retry that succeeds is the end');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const {event, attempt} = await last_attempt(worker);
  assert_greater_than(attempt, 1, 'the first attempt is not the last one');
  await event.reject();
  await worker.tags_become([], 'the tag is removed');
}, 'A tag is removed when the attempt fails at which lastChance is true');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const {event} = await last_attempt(worker);
  await event.reject();
  await worker.tags_become([]);
  await test_driver.advance_time(day);
  await worker.assert_no_event('it was the last chance');
}, 'There is no attempt after the one at which lastChance is true');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const {event} = await last_attempt(worker);
  await event.fulfil();
  await worker.tags_become([]);
}, 'The last attempt may succeed');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await last_attempt(worker)).event.reject();
  await worker.tags_become([]);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_false(event.lastChance);
  await event.reject();
  await worker.barrier();
  assert_array_equals(await worker.tags(), ['tag']);
}, 'A tag that was removed after its last attempt can be registered anew, with all attempts');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
  await worker.tags_become([]);
  await test_driver.advance_time(longer_than_any_back_off);
  await worker.assert_no_event('the retry that was planned before is void');
}, 'A tag that is registered again while it waits for a retry fires at once');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await go_offline(t);
  await worker.register('tag');
  await worker.assert_no_event('nothing fires while offline');
  await go_online();
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
}, 'A tag that is registered again offline while it waits for a retry fires when the browser is online');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('failing');
  await (await worker.next_event()).reject();
  await worker.register('other');
  await (await worker.next_event('other')).fulfil();
  await worker.tags_become(['failing']);
}, 'A tag that waits for a retry does not hold up others');

promise_test(async t => {
  const worker = await start_worker(t);
  await Promise.all([worker.register('a'), worker.register('b')]);
  const events = await worker.next_events(2);
  await Promise.all(events.map(event => event.reject()));
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  const again = await worker.next_events(2);
  assert_array_equals(again.map(event => event.tag).sort(), ['a', 'b']);
}, 'Several tags that failed are tried again each');
