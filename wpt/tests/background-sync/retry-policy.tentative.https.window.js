// META: title=Background Sync: when events that failed are tried again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// The specification leaves the heuristics to the browser. These are those that ship: three attempts, the
// second after 5 minutes, the third after 15 more, up to 10 % earlier or later.

async function fail_first(t) {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  return worker;
}

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const chances = [];
  for (let attempt = 0; attempt < 3; ++attempt) {
    const event = await worker.next_event();
    chances.push(event.lastChance);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
  assert_array_equals(chances, [false, false, true]);
  await worker.tags_become([]);
}, 'There are three attempts');

promise_test(async t => {
  const worker = await fail_first(t);
  await test_driver.advance_time(4 * minute);
  await worker.assert_no_event('4 minutes are not enough');
  await test_driver.advance_time(1.6 * minute);
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'The second attempt comes 5 minutes after the first');

promise_test(async t => {
  const worker = await fail_first(t);
  await test_driver.advance_time(6 * minute);
  await (await worker.next_event()).reject();
  await worker.barrier();
  await test_driver.advance_time(13 * minute);
  await worker.assert_no_event('13 minutes are not enough');
  await test_driver.advance_time(4 * minute);
  assert_true((await worker.next_event()).lastChance);
}, 'The third attempt comes 15 minutes after the second');

promise_test(async t => {
  const worker = await fail_first(t);
  await worker.register('tag');
  for (const lastChance of [false, false, true]) {
    const event = await worker.next_event();
    assert_equals(event.lastChance, lastChance);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
}, 'A tag that is registered again while it waits for a retry gets all attempts anew');

promise_test(async t => {
  const worker = await fail_first(t);
  await test_driver.advance_time(minute);
  await go_offline(t);
  await worker.barrier();
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A browser that comes online cuts the waiting short');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (let attempt = 0; attempt < 4; ++attempt) {
    const event = await worker.next_event();
    assert_false(event.lastChance, 'attempts that failed offline are not counted');
    await go_offline(t);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
    await go_online();
  }
  for (const lastChance of [false, false, true]) {
    const event = await worker.next_event();
    assert_equals(event.lastChance, lastChance);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
}, 'An attempt that failed while the network was gone is not counted');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (let attempt = 0; attempt < 10; ++attempt) {
    const event = await worker.next_event();
    await go_offline(t);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
    await go_online();
  }
  let attempts = 0;
  for (let last = false; !last; ++attempts) {
    const event = await worker.next_event();
    last = event.lastChance;
    await go_offline(t);
    await event.reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
    await go_online();
  }
  assert_equals(attempts, 3, 'after ten that were not counted, three are');
  await worker.tags_become([]);
}, 'No more than ten attempts are not counted');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (const lastChance of [false, false, true]) {
    const event = await worker.next_event();
    assert_equals(event.lastChance, lastChance);
    await go_offline(t);
    await test_driver.stop_service_worker(worker.scope);
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
    await go_online();
  }
  await worker.tags_become([]);
}, 'An attempt whose worker was terminated is counted, also while the network is gone');

promise_test(async t => {
  const worker = await fail_first(t);
  for (let times = 0; times < 5; ++times) {
    await go_offline(t);
    await worker.barrier();
    await go_online();
  }
  await worker.assert_no_event('a network that comes and goes does not use up the attempts');
}, 'A browser that comes online just after an attempt has failed waits');
