// META: title=Background Sync: the service worker is unregistered
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.registration.unregister();
  assert_array_equals(await worker.registration.sync.getTags(), []);
}, 'unregister() removes the tags of the registration');

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  await worker.register('tag');
  await worker.registration.unregister();
  await go_online();
  const again = await start_worker(t, {scope: worker.scope});
  assert_array_equals(await again.tags(), []);
  await again.assert_no_event('tags of a registration that is gone do not fire');
}, 'A new registration with the same scope has none of the tags of the one before');

promise_test(async t => {
  const [gone, other] = [await start_worker(t), await start_worker(t)];
  await go_offline(t);
  await gone.register('tag');
  await other.register('tag');
  await gone.registration.unregister();
  assert_array_equals(await other.tags(), ['tag']);
  await go_online();
  assert_equals((await other.next_event()).tag, 'tag');
  gone.assert_nothing_untaken('the one that is gone gets no event');
}, 'unregister() leaves the tags of other registrations');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await worker.registration.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await test_driver.advance_time(longer_than_any_back_off);
  await again.assert_no_event('the retry is gone with the registration');
  assert_array_equals(await again.tags(), []);
}, 'unregister() removes a tag that waits for a retry');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  const event = await worker.next_event();
  await worker.registration.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await again.register('tag');
  const second = await again.next_event();
  // Nothing answers when the worker is gone.
  event.reject();
  await second.fulfil();
  await again.tags_become([], 'the end of the old event changes nothing about the new tag');
  await test_driver.advance_time(longer_than_any_back_off);
  await again.assert_no_event('the failure of the old event is not retried');
}, 'An event that is being handled when its service worker is unregistered does not count');
