// META: title=Background Sync: the data of the site are cleared
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

async function clear_storage() {
  const response = await fetch(`${sync_resources}clear-storage.txt`);
  await response.text();
}

async function is_gone(scope) {
  const registration = await navigator.serviceWorker.getRegistration(scope);
  return registration && registration.scope === scope ? ['there'] : [];
}

promise_test(async t => {
  const worker = await start_worker(t);
  await go_offline(t, worker.scope);
  await worker.register('tag');
  await clear_storage();
  await until_equal(() => is_gone(worker.scope), [], 'the service worker is gone');
  assert_array_equals(await worker.registration.sync.getTags(), []);
  await go_online(worker.scope);
  const again = await start_worker(t, {scope: worker.scope});
  assert_array_equals(await again.tags(), []);
  await again.assert_no_event('what was cleared does not fire');
}, 'The tags go with the data of the site');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await (await worker.next_event()).reject();
  await worker.barrier();
  await clear_storage();
  await until_equal(() => is_gone(worker.scope), [], 'the service worker is gone');
  const again = await start_worker(t, {scope: worker.scope});
  await test_driver.advance_time(longer_than_any_back_off);
  await again.assert_no_event('there is no retry');
  assert_array_equals(await again.tags(), []);
}, 'A tag that waits for a retry goes with the data of the site');
