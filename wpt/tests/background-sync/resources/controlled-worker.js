'use strict';

// A service worker that does as the test says: it tells all windows of each sync and periodicsync event, and
// holds the event until a window settles it. See SyncWorker in helpers.js.
//
// Parameters of its URL:
// - install=hold, activate=hold: hold that event until the window releases it by the call "release".
// - install=fail: fail to install.

const parameters = new URL(location.href).searchParams;

const run = Math.random();

// What settles each event that is held, by its id.
const held = new Map();

// What the lifecycle events wait for.
let release;
const released = new Promise(resolve => { release = resolve; });

function units(text) {
  return Array.from({length: text.length}, (_, index) => text.charCodeAt(index));
}

async function tell(message) {
  const windows = await clients.matchAll({includeUncontrolled: true, type: 'window'});
  for (const client of windows) {
    client.postMessage({scope: registration.scope, ...message});
  }
}

function hold(event) {
  const description = {
    id: Math.random(),
    type: event.type,
    tag: event.tag,
    tag_units: units(event.tag),
    lastChance: event.lastChance,
    interface: Object.prototype.toString.call(event),
    isTrusted: event.isTrusted,
    bubbles: event.bubbles,
    cancelable: event.cancelable,
    is_extendable: event instanceof ExtendableEvent,
    target_is_global: event.target === self,
    worker: location.search,
  };
  event.waitUntil(new Promise((fulfil, reject) => {
    held.set(description.id,
      {description, fulfil, reject: () => reject(new Error('rejected by the test'))});
  }));
  event.waitUntil(tell({event: description}));
}

self.addEventListener('sync', hold);
self.addEventListener('periodicsync', hold);

function lifecycle(event) {
  const what = parameters.get(event.type);
  if (what === 'hold') {
    event.waitUntil(released);
  } else if (what === 'fail') {
    event.waitUntil(Promise.reject(new Error('fails to install')));
  }
  if (parameters.has(`${event.type}-registers`)) {
    const outcome = registration.sync.register(parameters.get(`${event.type}-registers`))
      .then(() => 'registered', error => error.name);
    event.waitUntil(outcome.then(text => { outcomes[event.type] = text; }));
  }
}

// What became of the tags that the lifecycle events registered.
const outcomes = {};

self.addEventListener('install', lifecycle);
self.addEventListener('activate', lifecycle);

// What a window can ask for.
const calls = {
  ping: () => 'pong',
  // Tells two runs of the worker apart.
  run: () => run,
  release: () => release(),
  settle: (id, outcome) => {
    const event = held.get(id);
    held.delete(id);
    if (event) {
      event[outcome]();
    }
  },
  // Tells a window that is new of the events that are held.
  tell_held: () => Promise.all([...held.values()].map(({description}) => tell({event: description}))),
  outcome: type => outcomes[type],
  register: tag => registration.sync.register(tag),
  get_tags: () => registration.sync.getTags(),
  periodic_register: (tag, options) => registration.periodicSync.register(tag, options),
  periodic_get_tags: () => registration.periodicSync.getTags(),
  periodic_unregister: tag => registration.periodicSync.unregister(tag),
  permission_state: async name => (await navigator.permissions.query({name})).state,
  exposed: () => ({
    SyncManager: typeof SyncManager,
    SyncEvent: typeof SyncEvent,
    PeriodicSyncManager: typeof PeriodicSyncManager,
    PeriodicSyncEvent: typeof PeriodicSyncEvent,
    onsync: 'onsync' in self,
    onperiodicsync: 'onperiodicsync' in self,
  }),
  fetch: async url => (await fetch(url)).status,
  skip_waiting: () => self.skipWaiting(),
  // Registers from within an event that is held, and settles it then.
  register_and_settle: async (tag, id, outcome) => {
    await registration.sync.register(tag);
    calls.settle(id, outcome);
  },
};

self.addEventListener('message', event => {
  const {call, name, args} = event.data;
  const run = async () => calls[name](...args);
  event.waitUntil(run().then(
    value => event.source.postMessage({scope: registration.scope, call, value}),
    error => event.source.postMessage(
      {scope: registration.scope, call, error: {name: error.name, message: error.message}})));
});
