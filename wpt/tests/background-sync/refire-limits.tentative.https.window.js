// META: title=Background Sync: handlers that register their own tag without end
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// The specification would let a handler that registers its own tag run for ever.

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  let event = await worker.next_event();
  for (let refires = 0; refires < 3; ++refires) {
    await worker.register('tag');
    await event.fulfil();
    event = await worker.next_event();
  }
  await worker.register('tag');
  await event.fulfil();
  await worker.assert_no_event('the fourth time a back-off comes first');
  assert_array_equals(await worker.tags(), ['tag']);
  await test_driver.advance_time(longer_than_any_back_off);
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
}, 'A tag that is registered during its event fires again at once three times in a row');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  for (let attempt = 0; attempt < 2; ++attempt) {
    await (await worker.next_event()).reject();
    await worker.barrier();
    await test_driver.advance_time(longer_than_any_back_off);
  }
  const last = await worker.next_event();
  assert_true(last.lastChance);
  await worker.register('tag');
  await last.reject();
  const first = await worker.next_event();
  assert_false(first.lastChance, 'the attempts are counted anew');
  await first.reject();
  await worker.barrier();
  await test_driver.advance_time(longer_than_any_back_off);
  assert_false((await worker.next_event()).lastChance);
}, 'A tag that is registered during its last attempt gets all attempts anew');
