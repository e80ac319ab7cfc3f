// META: title=Background Sync: how many tags
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t);
  for (let start = 0; start < 10000; start += 500) {
    await Promise.all(Array.from({length: 500}, (_, index) => worker.register(`${start + index}`)));
  }
  const error = await worker.register('one too many').catch(error => error);
  assert_true(error instanceof DOMException);
  assert_equals(error.name, 'QuotaExceededError');
  assert_equals((await worker.tags()).length, 10000);
  await worker.register('9999');
  assert_equals((await worker.tags()).length, 10000, 'a tag that is there can be registered again');
  await worker.registration.unregister();
}, 'A service worker can have 10,000 tags, and no more');
