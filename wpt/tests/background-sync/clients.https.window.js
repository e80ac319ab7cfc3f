// META: title=Background Sync: frames and workers
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

async function add_own_frame(t) {
  const frame = document.createElement('iframe');
  frame.src = `${sync_resources}blank.html`;
  const loaded = new Promise(resolve => { frame.onload = resolve; });
  document.body.append(frame);
  t.add_cleanup(() => frame.remove());
  await loaded;
  return frame;
}

function registration_in(frame, scope) {
  return frame.contentWindow.navigator.serviceWorker.getRegistration(scope);
}

promise_test(async t => {
  const worker = await start_worker(t);
  const frame = await add_own_frame(t);
  const registration = await registration_in(frame, worker.scope);
  await registration.sync.register('tag');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'A frame of the same origin can register');

promise_test(async t => {
  const worker = await start_worker(t);
  const frame = await add_own_frame(t);
  const registration = await registration_in(frame, worker.scope);
  assert_not_equals(registration.sync, worker.registration.sync, 'each window has its own object');
  await go_offline(t);
  await worker.register('of the window');
  await registration.sync.register('of the frame');
  const tags = await registration.sync.getTags();
  assert_array_equals(tags.sort(), ['of the frame', 'of the window']);
  assert_array_equals((await worker.tags()).sort(), tags);
}, 'All windows see the same list');

promise_test(async t => {
  const worker = await start_worker(t);
  const frame = await add_own_frame(t);
  const registration = await registration_in(frame, worker.scope);
  await go_offline(t);
  await registration.sync.register('tag');
  frame.remove();
  assert_array_equals(await worker.tags(), ['tag']);
  await go_online();
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A tag that a frame registered fires after the frame was removed');

promise_test(async t => {
  const worker = await start_worker(t);
  const frame = await add_own_frame(t);
  const registration = await registration_in(frame, worker.scope);
  registration.sync.register('tag').catch(() => {});
  frame.remove();
  await worker.barrier();
  if ((await worker.tags()).includes('tag')) {
    await (await worker.next_event('tag')).fulfil();
    await worker.tags_become([]);
  }
}, 'A tag whose frame goes before register() is through fires, if it is registered');

promise_test(async t => {
  const worker = await start_worker(t);
  const frame = await add_own_frame(t);
  const registration = await registration_in(frame, worker.scope);
  const {TypeError: FrameTypeError} = frame.contentWindow;
  await promise_rejects_js(t, FrameTypeError, registration.sync.register());
  await promise_rejects_js(t, FrameTypeError, registration.sync.register(Symbol('tag')));
}, 'Errors are those of the window whose SyncManager it is');

for (const type of ['classic', 'module']) {
  promise_test(async t => {
    const worker = await start_worker(t);
    const dedicated = new Worker(`${sync_resources}registering-worker.js`, {type});
    t.add_cleanup(() => dedicated.terminate());
    const answered = new Promise(resolve => { dedicated.onmessage = ({data}) => resolve(data); });
    dedicated.postMessage({scope: worker.scope, tag: 'tag'});
    const {error, tags} = await answered;
    assert_equals(error, undefined);
    assert_array_equals(tags, ['tag']);
    assert_equals((await worker.next_event()).tag, 'tag');
  }, `A dedicated worker can register: ${type}`);
}

promise_test(async t => {
  const scope = unique_scope();
  const worker = new SyncWorker(t, scope);
  worker.registration = await navigator.serviceWorker.register(`${sync_resources}controlled-worker.js`,
    {scope, type: 'module'});
  await until_active(worker.registration);
  await worker.register('tag');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
  await worker.tags_become([]);
}, 'A service worker that is a module gets events');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.call('register', 'tag');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
  await event.fulfil();
}, 'A service worker can register');

promise_test(async t => {
  const scope = `${sync_resources}blank.html?${unique_name()}`;
  const worker = await start_worker(t, {scope: new URL(scope, location.href).href});
  const frame = document.createElement('iframe');
  frame.src = scope;
  const loaded = new Promise(resolve => { frame.onload = resolve; });
  document.body.append(frame);
  t.add_cleanup(() => frame.remove());
  await loaded;
  const container = frame.contentWindow.navigator.serviceWorker;
  assert_not_equals(container.controller, null);
  const registration = await container.ready;
  await registration.sync.register('tag');
  assert_equals((await worker.next_event()).tag, 'tag');
}, 'A page that the service worker controls registers through ready');
