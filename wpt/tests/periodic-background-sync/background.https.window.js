// META: title=Periodic Background Sync: origins without a top-level window
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=/background-sync/resources/other-origin.sub.js
// META: script=/background-sync/resources/log.js
// META: script=resources/periodic-helpers.js

'use strict';

// This page is not of the origin whose service worker is tested. Frames in it are the clients of that one
// that are no top-level windows.

promise_test(async t => {
  await allow_periodic_sync(t, other_origin);
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await promise_rejects_dom(t, 'InvalidAccessError', frame.call('periodic_register', scope, 'tag'));
  await promise_rejects_dom(t, 'InvalidAccessError',
    frame.call('ask_worker', scope, 'periodic_register', 'tag'));
  assert_array_equals(await frame.call('periodic_tags', scope), [], 'nothing is registered');
}, 'register() is rejected when the origin has no top-level or auxiliary window');

promise_test(async t => {
  await allow_periodic_sync(t, other_origin);
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await open_window(t, other_origin);
  await frame.call('periodic_register', scope, 'of a frame');
  await frame.call('ask_worker', scope, 'periodic_register', 'of a worker');
  assert_array_equals(await frame.call('periodic_tags', scope), ['of a frame', 'of a worker']);
}, 'register() succeeds when the origin has an auxiliary window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await promise_rejects_dom(t, 'NotAllowedError', frame.call('periodic_register', scope, 'tag'));
}, 'The permission is checked before the windows');

promise_test(async t => {
  await allow_periodic_sync(t, other_origin);
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin, 'controlled-worker.js?install=hold',
    'installing');
  await promise_rejects_dom(t, 'InvalidStateError', frame.call('periodic_register', scope, 'tag'));
}, 'That there is an active worker is checked before the windows');

promise_test(async t => {
  await allow_periodic_sync(t, other_origin);
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  const popup = await open_window(t, other_origin);
  await popup.call('periodic_register', scope, 'tag');
  await popup.close();
  await until_rejected(() => frame.call('periodic_register', scope, 'tag'), 'InvalidAccessError');
  assert_array_equals(await frame.call('periodic_tags', scope), ['tag']);
  await frame.call('periodic_unregister', scope, 'tag');
  assert_array_equals(await frame.call('periodic_tags', scope), []);
}, 'getTags() and unregister() need no window');

promise_test(async t => {
  await allow_periodic_sync(t, other_origin);
  const key = crypto.randomUUID();
  const popup = await open_window(t, other_origin);
  const scope = await start_remote_worker(t, popup, other_origin, `log-worker.js?key=${key}`);
  await popup.call('periodic_register', scope, 'tag');
  await popup.close();
  const frame = await add_frame(t, other_origin);
  await until_rejected(() => frame.call('periodic_register', scope, 'tag'), 'InvalidAccessError');
  await until_due();
  const [event] = await new ServerLog(key).until(1);
  assert_equals(event.type, 'periodicsync');
  assert_equals(event.tag, 'tag');
  assert_array_equals(event.windows, ['nested'], 'it fires in the background');
}, 'A tag fires in the background');
