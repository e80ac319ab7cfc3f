'use strict';

// A service worker that writes each event down on the server, for tests in which no page lives while it
// fires. Parameters of its URL: key=, the key of the log; outcomes=, how the events of each tag end, one after
// the other and the last for all that follow: fulfil, reject, or hold (never ends); registers=, a tag that is
// registered from within each event, and what came of it is written down, too.

importScripts('log.js');

const parameters = new URL(location.href).searchParams;
const log = new ServerLog(parameters.get('key'));
const outcomes = (parameters.get('outcomes') || 'fulfil').split(',');

async function registered() {
  if (!parameters.has('registers')) {
    return undefined;
  }
  return registration.sync.register(parameters.get('registers')).then(() => 'registered', error => error.name);
}

async function handle(event) {
  const windows = await clients.matchAll({includeUncontrolled: true, type: 'window'});
  await log.write({
    type: event.type,
    tag: event.tag,
    lastChance: event.lastChance,
    scope: registration.scope,
    windows: windows.map(client => client.frameType),
    registered: await registered(),
  });
  const attempts = (await log.read()).filter(entry => entry.tag === event.tag);
  const outcome = outcomes[Math.min(attempts.length, outcomes.length) - 1];
  if (outcome === 'reject') {
    throw new Error('rejected by the test');
  } else if (outcome === 'hold') {
    await new Promise(() => {});
  }
}

self.addEventListener('sync', event => event.waitUntil(handle(event)));
self.addEventListener('periodicsync', event => event.waitUntil(handle(event)));
