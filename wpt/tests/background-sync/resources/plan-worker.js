'use strict';

// A service worker whose events end as their tags say. It tells all windows when a handler has run, and what
// the late calls of waitUntil() gave.

async function tell(message) {
  const windows = await clients.matchAll({includeUncontrolled: true, type: 'window'});
  for (const client of windows) {
    client.postMessage({scope: registration.scope, plan: message});
  }
}

const failure = () => Promise.reject(new Error('fails as planned'));

// Gives a promise that is settled in a later task.
function later(result) {
  return new Promise((fulfil, reject) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      result().then(fulfil, reject);
    };
    channel.port2.postMessage('');
  });
}

function outcome_of(step) {
  try {
    step();
    return 'no exception';
  } catch (error) {
    return error.name;
  }
}

const plans = {
  'nothing': () => {},
  'fulfilled': event => event.waitUntil(Promise.resolve()),
  'fulfilled later': event => event.waitUntil(later(() => Promise.resolve())),
  'rejected': event => event.waitUntil(failure()),
  'rejected later': event => event.waitUntil(later(failure)),
  'rejected with undefined': event => event.waitUntil(Promise.reject()),
  'no promise': event => event.waitUntil(7),
  'thenable that rejects': event => event.waitUntil({then: (_, reject) => reject(new Error('no'))}),
  'thenable that fulfils': event => event.waitUntil({then: fulfil => fulfil()}),
  'all fulfilled': event => {
    event.waitUntil(later(() => Promise.resolve()));
    event.waitUntil(Promise.resolve());
    event.waitUntil(later(() => Promise.resolve()));
  },
  'first of three rejected': event => {
    event.waitUntil(failure());
    event.waitUntil(Promise.resolve());
    event.waitUntil(later(() => Promise.resolve()));
  },
  'last of three rejected': event => {
    event.waitUntil(Promise.resolve());
    event.waitUntil(later(() => Promise.resolve()));
    event.waitUntil(later(failure));
  },
  'throws': () => { throw new Error('thrown as planned'); },
  'fulfilled and throws': event => {
    event.waitUntil(Promise.resolve());
    throw new Error('thrown as planned');
  },
  'rejected and throws': event => {
    event.waitUntil(failure());
    throw new Error('thrown as planned');
  },
  'promise returned, not waited for': () => failure().catch(() => { throw new Error('unhandled'); }),
  'preventDefault': event => event.preventDefault(),
  'extended while pending, rejected': event => {
    event.waitUntil(later(async () => event.waitUntil(later(failure))));
  },
  'extended while pending, fulfilled': event => {
    event.waitUntil(later(async () => event.waitUntil(later(() => Promise.resolve()))));
  },
  'extended in a microtask, rejected': event => {
    Promise.resolve().then(() => event.waitUntil(failure()));
  },
};

// Plans that tell what a call of waitUntil() gave.
const reporting_plans = {
  'waitUntil in a later task': event => later(async () => outcome_of(() => event.waitUntil(1))),
  'waitUntil after all have settled': async event => {
    event.waitUntil(Promise.resolve());
    await later(() => Promise.resolve());
    return outcome_of(() => event.waitUntil(1));
  },
  'waitUntil while another is pending': event => {
    let result;
    event.waitUntil(later(async () => { result = outcome_of(() => event.waitUntil(1)); }));
    return later(() => later(async () => result));
  },
  'waitUntil in a microtask': event =>
    Promise.resolve().then(() => outcome_of(() => event.waitUntil(1))),
  'waitUntil of an event of its own': () => {
    const event = new SyncEvent('sync', {tag: 'own'});
    return Promise.resolve(outcome_of(() => event.waitUntil(1)));
  },
  'waitUntil of an event of its own while it is dispatched': () => {
    const event = new SyncEvent('own', {tag: 'own'});
    let result;
    self.addEventListener('own', () => { result = outcome_of(() => event.waitUntil(1)); }, {once: true});
    self.dispatchEvent(event);
    return Promise.resolve(result);
  },
};

self.addEventListener('sync', event => {
  if (reporting_plans[event.tag]) {
    reporting_plans[event.tag](event).then(result => tell({tag: event.tag, result}));
    return;
  }
  tell({tag: event.tag, lastChance: event.lastChance});
  plans[event.tag](event);
});
