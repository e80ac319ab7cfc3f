// META: title=The empty document of a new frame or window has the controller of its creator at once

'use strict';

// A page in a frame that a service worker controls.
async function controlled_frame(t) {
  const key = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const query = new URLSearchParams({type: 'text/html', body: '<!doctype html><body>'});
  const scope = new URL(`/_wpt/response?${key}`, location.href).href;
  const worker_query = new URLSearchParams({body: '', header: 'Service-Worker-Allowed:/'});
  const registration = await navigator.serviceWorker.register(`/_wpt/worker?${worker_query}`, {scope});
  t.add_cleanup(() => registration.unregister());
  const worker = registration.installing;
  while (worker.state !== 'activated') {
    await new Promise(resolve => worker.addEventListener('statechange', resolve, {once: true}));
  }
  const frame = document.createElement('iframe');
  frame.src = `/_wpt/response?${key}&${query}`;
  const loaded = new Promise(resolve => frame.onload = resolve);
  document.body.append(frame);
  t.add_cleanup(() => frame.remove());
  await loaded;
  const {controller} = frame.contentWindow.navigator.serviceWorker;
  assert_equals(controller.scriptURL, worker.scriptURL);
  return {window: frame.contentWindow, script: worker.scriptURL};
}

promise_test(async t => {
  const {window, script} = await controlled_frame(t);
  const inner = window.document.createElement('iframe');
  window.document.body.append(inner);
  const {controller} = inner.contentWindow.navigator.serviceWorker;
  assert_equals(controller && controller.scriptURL, script);
  assert_equals(controller.state, 'activated');
  assert_equals(controller, inner.contentWindow.navigator.serviceWorker.controller);
}, 'A frame');

promise_test(async t => {
  const {window, script} = await controlled_frame(t);
  const opened = window.open('about:blank');
  t.add_cleanup(() => opened.close());
  const {controller} = opened.navigator.serviceWorker;
  assert_equals(controller && controller.scriptURL, script);
}, 'A window');

promise_test(async t => {
  await controlled_frame(t);
  const inner = document.createElement('iframe');
  document.body.append(inner);
  t.add_cleanup(() => inner.remove());
  assert_equals(inner.contentWindow.navigator.serviceWorker.controller, null);
}, 'A frame in a page that is not controlled');
