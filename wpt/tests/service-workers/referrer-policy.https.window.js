// META: title=A service worker has the referrer policy of its script
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js

'use strict';

const code = `
  onmessage = event => event.waitUntil(
    fetch('/_wpt/log?key=' + event.data, {method: 'POST', body: 'x'})
      .then(response => response.text())
      .then(() => event.source.postMessage('sent')));`;

// What a worker whose script has these headers tells a server of where it asks from; and then again, once it was
// stopped and started from what is stored.
async function referrers(t, headers) {
  const key = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const scope = new URL(`/_wpt/scope/${key}/`, location.href).href;
  const query = new URLSearchParams({body: code});
  for (const header of ['Service-Worker-Allowed:/', ...headers]) {
    query.append('header', header);
  }
  const script = `/_wpt/worker?${query}`;
  const registration = await navigator.serviceWorker.register(script, {scope});
  t.add_cleanup(() => registration.unregister());
  const worker = registration.installing;
  while (worker.state !== 'activated') {
    await new Promise(resolve => worker.addEventListener('statechange', resolve, {once: true}));
  }
  navigator.serviceWorker.startMessages();
  for (const stop of [false, true]) {
    if (stop) {
      await test_driver.stop_service_worker(scope);
    }
    const sent = new Promise(resolve => navigator.serviceWorker.addEventListener('message', resolve, {once: true}));
    worker.postMessage(key);
    await sent;
  }
  const log = await fetch(`/_wpt/log?key=${key}`);
  const lines = (await log.text()).trim().split('\n');
  const script_url = new URL(script, location.href).href;
  return lines.map(line => JSON.parse(line).headers.referer ?? 'nothing')
      .map(referrer => referrer === script_url ? 'its URL' : referrer);
}

promise_test(async t => {
  assert_array_equals(await referrers(t, []), ['its URL', 'its URL']);
}, 'Without a policy, its own server is told all');

promise_test(async t => {
  assert_array_equals(await referrers(t, ['Referrer-Policy:no-referrer']), ['nothing', 'nothing']);
}, 'With no-referrer nothing is told, also after a restart of the worker');

promise_test(async t => {
  const origin = `${location.origin}/`;
  assert_array_equals(await referrers(t, ['Referrer-Policy:origin']), [origin, origin]);
}, 'With origin only the origin is told, also after a restart of the worker');
