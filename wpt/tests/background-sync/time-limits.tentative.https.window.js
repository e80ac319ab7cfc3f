// META: title=Background Sync: how long an event may take
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// The specification lets browsers limit the time of an event, and that of the last attempt more.

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  await test_driver.advance_time(2.5 * minute);
  await worker.barrier();
  assert_array_equals(await worker.tags(), ['tag']);
  await test_driver.advance_time(minute);
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
  await worker.tags_become([]);
}, 'An event that takes longer than 3 minutes has failed, and is tried again');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await test_driver.advance_time(2.5 * minute);
  await event.fulfil();
  await worker.tags_become([]);
}, 'An event that takes less than 3 minutes can succeed');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (let attempt = 0; attempt < 2; ++attempt) {
    await (await worker.next_event()).reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
  const event = await worker.next_event();
  assert_true(event.lastChance);
  await test_driver.advance_time(1.5 * minute);
  await worker.tags_become([], 'one minute is all that the last attempt gets');
}, 'The last attempt may take one minute');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  const run = await worker.call('run');
  await test_driver.advance_time(4 * minute);
  const same_run = async () => await worker.call('run') === run ? ['the same run'] : [];
  await until_equal(same_run, [], 'the worker was terminated');
  assert_array_equals(await worker.tags(), ['tag']);
}, 'A worker whose event takes too long is terminated');
