// META: title=Background Sync: origins without a top-level window
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js
// META: script=resources/other-origin.sub.js
// META: script=resources/log.js

'use strict';

// This page is not of the origin whose service worker is tested. Frames in it are the clients of that one
// that are no top-level windows.

function log_worker(key, parameters = '') {
  return `log-worker.js?key=${key}${parameters}`;
}

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await promise_rejects_dom(t, 'InvalidAccessError', frame.call('register', scope, 'tag'));
  assert_array_equals(await frame.call('tags', scope), [], 'nothing is registered');
}, 'register() in a frame is rejected when the origin has no top-level or auxiliary window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await promise_rejects_dom(t, 'InvalidAccessError', frame.call('ask_worker', scope, 'register', 'tag'));
  assert_array_equals(await frame.call('tags', scope), [], 'nothing is registered');
}, 'register() in a service worker is rejected when the origin has no top-level or auxiliary window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await open_window(t, other_origin);
  await go_offline(t);
  await frame.call('register', scope, 'tag');
  assert_array_equals(await frame.call('tags', scope), ['tag']);
}, 'register() in a frame succeeds when the origin has an auxiliary window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await open_window(t, other_origin);
  await go_offline(t);
  await frame.call('ask_worker', scope, 'register', 'tag');
  assert_array_equals(await frame.call('tags', scope), ['tag']);
}, 'register() in a service worker succeeds when the origin has an auxiliary window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await open_window(t, third_origin);
  await promise_rejects_dom(t, 'InvalidAccessError', frame.call('register', scope, 'tag'));
}, 'Windows of other origins do not count, of the same site or not');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  const popup = await open_window(t, other_origin);
  await go_offline(t);
  await frame.call('register', scope, 'before');
  await popup.close();
  await until_rejected(() => frame.call('register', scope, 'after'), 'InvalidAccessError');
  assert_true((await frame.call('tags', scope)).includes('before'), 'what was registered before stays');
}, 'register() is rejected after the only window of the origin was closed');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  const popup = await open_window(t, other_origin);
  await go_offline(t);
  await frame.call('register', scope, 'tag');
  await popup.close();
  await until_rejected(() => frame.call('register', scope, 'tag'), 'InvalidAccessError');
  assert_array_equals(await frame.call('tags', scope), ['tag']);
}, 'register() of a tag that is registered already needs a window too');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  assert_array_equals(await frame.call('tags', scope), []);
  assert_array_equals(await frame.call('ask_worker', scope, 'get_tags'), []);
}, 'getTags() needs no window');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin);
  await set_permission_of(t, other_origin, 'background-sync', 'denied');
  await promise_rejects_dom(t, 'NotAllowedError', frame.call('register', scope, 'tag'));
}, 'The permission is checked before the windows');

promise_test(async t => {
  const frame = await add_frame(t, other_origin);
  const scope = await start_remote_worker(t, frame, other_origin, 'controlled-worker.js?install=hold',
    'installing');
  await promise_rejects_dom(t, 'InvalidStateError', frame.call('register', scope, 'tag'));
}, 'That there is an active worker is checked before the windows');

promise_test(async t => {
  const key = crypto.randomUUID();
  const frame = await add_frame(t, other_origin);
  const popup = await open_window(t, other_origin);
  const scope = await start_remote_worker(t, popup, other_origin, log_worker(key));
  await go_offline(t);
  await popup.call('register', scope, 'tag');
  await popup.close();
  await until_rejected(() => frame.call('register', scope, 'tag'), 'InvalidAccessError');
  await go_online();
  const [event] = await new ServerLog(key).until(1);
  assert_equals(event.tag, 'tag');
  assert_array_equals(event.windows, ['nested'], 'it fires in the background');
  await until_equal(() => frame.call('tags', scope), []);
}, 'A tag fires after the window was closed that registered it');

promise_test(async t => {
  const key = crypto.randomUUID();
  const frame = await add_frame(t, other_origin);
  const popup = await open_window(t, other_origin);
  const scope = await start_remote_worker(t, popup, other_origin,
    log_worker(key, '&registers=again'));
  await go_offline(t);
  await popup.call('register', scope, 'tag');
  await popup.close();
  await until_rejected(() => frame.call('register', scope, 'tag'), 'InvalidAccessError');
  await go_online();
  const [event] = await new ServerLog(key).until(1);
  assert_equals(event.registered, 'InvalidAccessError');
  await until_equal(() => frame.call('tags', scope), []);
}, 'register() in an event that fires in the background is rejected');
