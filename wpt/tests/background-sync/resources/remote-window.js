'use strict';

// Runs in remote-window.html: does what the window asks for that opened or embeds this one, which may be of
// another origin. See RemoteWindow in other-origin.sub.js.

const asker = window.opener || window.parent;

async function registration_of(scope) {
  const registration = await navigator.serviceWorker.getRegistration(scope);
  if (!registration || registration.scope !== scope) {
    throw new Error(`there is no registration with the scope ${scope}`);
  }
  return registration;
}

function until(target, type, is_reached) {
  return new Promise(resolve => {
    target.addEventListener(type, function listener(event) {
      if (is_reached(event)) {
        target.removeEventListener(type, listener);
        resolve(event);
      }
    });
  });
}

const calls = {
  // Registers a service worker, and waits until it is in the state.
  start: async (script, scope, state) => {
    const registration = await navigator.serviceWorker.register(script, {scope});
    const worker = registration.installing || registration.waiting || registration.active;
    if (worker.state !== state) {
      await until(worker, 'statechange', () => worker.state === state);
    }
  },
  unregister: async scope => {
    const registration = await registration_of(scope);
    if (registration.installing) {
      registration.installing.postMessage({call: 0, name: 'release', args: []});
    }
    await registration.unregister();
  },
  register: async (scope, tag) => (await registration_of(scope)).sync.register(tag),
  tags: async scope => (await registration_of(scope)).sync.getTags(),
  periodic_register: async (scope, tag, options) =>
    (await registration_of(scope)).periodicSync.register(tag, options),
  periodic_tags: async scope => (await registration_of(scope)).periodicSync.getTags(),
  periodic_unregister: async (scope, tag) => (await registration_of(scope)).periodicSync.unregister(tag),
  // Lets the service worker do one of the calls of controlled-worker.js.
  ask_worker: async (scope, name, ...args) => {
    const {active} = await registration_of(scope);
    const call = Math.random();
    navigator.serviceWorker.startMessages();
    const answered = until(navigator.serviceWorker, 'message', ({data}) => data.call === call);
    active.postMessage({call, name, args});
    const {data} = await answered;
    if (data.error) {
      throw Object.assign(new Error(data.error.message), {name: data.error.name});
    }
    return data.value;
  },
};

window.addEventListener('message', async ({data}) => {
  const {call, name, args} = data;
  if (!Object.hasOwn(calls, name)) {
    return;
  }
  try {
    asker.postMessage({call, value: await calls[name](...args)}, '*');
  } catch (error) {
    asker.postMessage({call, error: {name: error.name, message: error.message}}, '*');
  }
});

asker.postMessage({loaded: window.name}, '*');
