// META: title=Background Sync: tags that have become old
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// Not in the specification: what a user asked for a week ago is not done today.

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await test_driver.advance_time(6 * day);
  await worker.barrier();
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag fires within a week after it was registered');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await test_driver.advance_time(8 * day);
  await go_online();
  await worker.assert_no_event('the tag is too old');
  await worker.tags_become([]);
}, 'A tag does not fire later than a week after it was registered');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await test_driver.advance_time(4 * day);
  await worker.register('tag');
  await test_driver.advance_time(4 * day);
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'The week begins anew when the tag is registered again');
