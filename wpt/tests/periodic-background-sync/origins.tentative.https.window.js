// META: title=Periodic Background Sync: floors and permissions of several origins
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=/background-sync/resources/other-origin.sub.js
// META: script=/background-sync/resources/log.js
// META: script=resources/periodic-helpers.js

'use strict';

// The specification recommends that 12 hours lie between the events of all origins, too.

// A worker of another origin, which writes its events into a log on the server.
async function start_logging(t, origin) {
  await allow_periodic_sync(t, origin);
  const key = crypto.randomUUID();
  const popup = await open_window(t, origin);
  const scope = await start_remote_worker(t, popup, origin, `log-worker.js?key=${key}`);
  return {
    log: new ServerLog(key),
    register: options => popup.call('periodic_register', scope, 'tag', options),
    tags: () => popup.call('periodic_tags', scope),
  };
}

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const other = await start_logging(t, other_origin);
  await worker.registration.periodicSync.register('tag');
  await test_driver.advance_time(6 * hour);
  await other.register();
  await test_driver.advance_time(6.5 * hour);
  await (await worker.next_event()).fulfil();
  await worker.barrier();
  await worker.registration.periodicSync.unregister('tag');
  await test_driver.advance_time(6 * hour);
  await worker.barrier();
  assert_array_equals(await other.log.read(), [], 'an origin has fired within 12 hours');
  await test_driver.advance_time(6.5 * hour);
  const [event] = await other.log.until(1);
  assert_equals(event.tag, 'tag');
}, 'The 12 hours count for all origins');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const other = await start_logging(t, other_origin);
  await worker.registration.periodicSync.register('tag');
  await other.register();
  await until_due();
  await (await worker.next_event()).fulfil();
  assert_equals((await other.log.until(1)).length, 1);
}, 'Tags of several origins that are due at the same time fire together');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const other = await start_logging(t, other_origin);
  await worker.registration.periodicSync.register('tag');
  await other.register();
  await set_permission_of(t, other_origin, 'periodic-background-sync', 'denied', 'denied');
  await until_equal(other.tags, [], 'the tags of the origin are removed');
  assert_array_equals(await worker.periodic_tags(), ['tag'], 'those of other origins stay');
}, 'A revocation is about one origin');
