'use strict';

// Helpers of the tests of Background Sync and Periodic Background Sync.
//
// A test starts a service worker of its own (start_worker), registers tags, and gets each event of the worker
// as an object that it fulfils or rejects (SyncWorker.next_event). So every state of a sync registration lasts
// as long as the test wants, and nothing depends on how fast anything is.

const sync_resources = '/background-sync/resources/';

const minute = 60 * 1000;
const hour = 60 * minute;
const day = 24 * hour;

// More than the time after which any browser tries an event again that has failed.
const longer_than_any_back_off = hour;

function unique_name() {
  return `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

function unique_scope() {
  return new URL(`${sync_resources}scope/${unique_name()}`, location.href).href;
}

function code_units(text) {
  return Array.from({length: text.length}, (_, index) => text.charCodeAt(index));
}

// Text that can be printed, whatever the text is.
function printable(text) {
  return JSON.stringify(text).replace(/[\ud800-\udfff\u0000-\u001f\u007f-\u009f]/g,
    unit => '\\u' + unit.charCodeAt(0).toString(16).padStart(4, '0'));
}

// Resolves when the worker is in the state; rejects when it never will be.
async function until_state(worker, state) {
  while (worker.state !== state) {
    if (worker.state === 'redundant') {
      throw new Error(`the worker is redundant, and not ${state}`);
    }
    await new Promise(resolve => worker.addEventListener('statechange', resolve, {once: true}));
  }
}

function until_active(registration) {
  return until_state(registration.installing || registration.waiting || registration.active,
    'activated');
}

// An event that a worker has got, and holds until it is settled.
class HeldEvent {
  constructor(worker, source, properties) {
    Object.assign(this, properties);
    this.sync_worker = worker;
    this.source = source;
    this.settled = false;
  }

  settle(outcome) {
    if (this.settled) {
      return Promise.resolve();
    }
    this.settled = true;
    return this.sync_worker.call_on(this.source, 'settle', this.id, outcome);
  }

  // The promise that was given to waitUntil() is fulfilled, or rejected.
  fulfil() { return this.settle('fulfil'); }
  reject() { return this.settle('reject'); }
}

// A service worker registration, and what its workers tell this page.
class SyncWorker {
  constructor(test, scope) {
    this.scope = scope;
    this.registration = null;
    this.untaken = [];
    this.waiters = [];
    this.answers = new Map();
    this.held = new Set();
    this.known = new Set();
    this.barriers = 0;
    const listener = message => this.take(message);
    navigator.serviceWorker.addEventListener('message', listener);
    navigator.serviceWorker.startMessages();
    test.add_cleanup(async () => {
      this.closed = true;
      for (const event of this.held) {
        event.source.postMessage({call: 0, name: 'settle', args: [event.id, 'fulfil']});
      }
      const registration = await navigator.serviceWorker.getRegistration(scope);
      if (registration && registration.scope === scope) {
        await registration.unregister();
      }
      navigator.serviceWorker.removeEventListener('message', listener);
    });
  }

  take({data, source}) {
    if (!data || data.scope !== this.scope) {
      return;
    }
    if (data.event) {
      if (this.known.has(data.event.id)) {
        return;
      }
      this.known.add(data.event.id);
      const event = new HeldEvent(this, source, data.event);
      if (this.closed || (event.tag.startsWith('barrier ') && !this.waits_for(event.tag))) {
        // Left from when the browser was offline.
        event.fulfil();
      } else {
        this.held.add(event);
      }
      this.untaken.push(event);
      this.deliver();
    } else if (data.plan) {
      this.untaken.push(data.plan);
      this.deliver();
    } else if (this.answers.has(data.call)) {
      const {resolve, reject} = this.answers.get(data.call);
      this.answers.delete(data.call);
      if (data.error) {
        reject(Object.assign(new Error(data.error.message), {name: data.error.name}));
      } else {
        resolve(data.value);
      }
    }
  }

  deliver() {
    this.waiters = this.waiters.filter(({tag, resolve}) => {
      const found = this.untaken.findIndex(event => tag === undefined
        ? !event.tag.startsWith('barrier ') : event.tag === tag);
      if (found < 0) {
        return true;
      }
      resolve(this.untaken.splice(found, 1)[0]);
      return false;
    });
  }

  waits_for(tag) {
    return this.waiters.some(waiter => waiter.tag === tag);
  }

  // The next event that no call of this has given before: of any tag, or of one.
  next_event(tag) {
    return new Promise(resolve => {
      this.waiters.push({tag, resolve});
      this.deliver();
    });
  }

  async next_events(count) {
    const events = [];
    while (events.length < count) {
      events.push(await this.next_event());
    }
    return events;
  }

  // The events that have reached the page and that no call has given before.
  take_events() {
    const is_barrier = ({tag}) => tag.startsWith('barrier ');
    const events = this.untaken.filter(event => !is_barrier(event));
    this.untaken = this.untaken.filter(is_barrier);
    return events;
  }

  // Lets a worker run one of the calls in controlled-worker.js, and gives what it gives.
  call_on(worker, name, ...args) {
    return new Promise((resolve, reject) => {
      const call = Math.random();
      this.answers.set(call, {resolve, reject});
      worker.postMessage({call, name, args});
    });
  }

  call(name, ...args) {
    return this.call_on(this.registration.active, name, ...args);
  }

  register(tag) {
    return this.registration.sync.register(tag);
  }

  // The tags, without those that the barriers leave while offline.
  async tags() {
    const tags = await this.registration.sync.getTags();
    return tags.filter(tag => !tag.startsWith('barrier '));
  }

  periodic_tags() {
    return this.registration.periodicSync.getTags();
  }

  // Resolves when the tags are these, in this order.
  tags_become(expected, description) {
    return until_equal(() => this.tags(), expected, description);
  }

  // Resolves when every event that was due before has reached the page: a tag that is registered now fires
  // after them, or, while offline, is stored after they have started.
  async barrier() {
    const tag = `barrier ${++this.barriers}`;
    if (emulated_offline.has(undefined) || emulated_offline.has(this.scope)) {
      await this.registration.sync.register(tag);
      await this.registration.sync.getTags();
      await this.call('ping');
    } else {
      const fired = this.next_event(tag);
      await this.registration.sync.register(tag);
      const event = await fired;
      await event.fulfil();
      // No event is left that could take too long when the test moves the clock.
      const is_over = async () => (await this.registration.sync.getTags()).includes(tag) ? [tag] : [];
      await until_equal(is_over, [], 'the event of the barrier ends');
    }
  }

  // Asserts that no event has fired but those that the test has taken.
  async assert_no_event(description) {
    await this.barrier();
    this.assert_nothing_untaken(description);
  }

  assert_nothing_untaken(description) {
    const events = this.untaken.filter(event => !event.tag.startsWith('barrier '));
    assert_array_equals(events.map(event => event.tag), [], description);
  }
}

// Polls until the array is as expected, and fails when it is not after many attempts.
async function until_equal(read, expected, description) {
  let value;
  for (let attempt = 0; attempt < 300; ++attempt) {
    value = await read();
    if (value.length === expected.length && value.every((tag, index) => tag === expected[index])) {
      return;
    }
    await one_round_trip();
  }
  assert_array_equals(value, expected, description);
}

// Gives the browser time for what it is doing.
function one_round_trip() {
  return new Promise(resolve => step_timeout(resolve, 10));
}

// Registers a service worker with a scope of its own, which goes at the end of the test, and waits until it is
// activated. `script` may have parameters.
async function start_worker(test, {script = 'controlled-worker.js', scope = unique_scope()} = {}) {
  const worker = await register_worker(test, {script, scope});
  await until_active(worker.registration);
  return worker;
}

// The same, but does not wait.
async function register_worker(test, {script = 'controlled-worker.js', scope = unique_scope()} = {}) {
  const worker = new SyncWorker(test, scope);
  worker.registration = await navigator.serviceWorker.register(sync_resources + script, {scope});
  return worker;
}

// For what offline is emulated: undefined for everything, or the scope of a registration.
const emulated_offline = new Set();

async function go_offline(test, scope) {
  if (!emulated_offline.has(scope)) {
    test.add_cleanup(() => go_online(scope));
  }
  emulated_offline.add(scope);
  try {
    await test_driver.bidi.emulation.set_network_conditions(
      {networkConditions: {type: 'offline'}, serviceWorkerScope: scope});
  } catch (error) {
    emulated_offline.delete(scope);
    throw error;
  }
}

async function go_online(scope) {
  if (emulated_offline.delete(scope)) {
    await test_driver.bidi.emulation.set_network_conditions(
      {networkConditions: null, serviceWorkerScope: scope});
  }
}

// Sets a permission until the end of the test.
async function set_permission(test, name, state, default_state = 'granted') {
  test.add_cleanup(() => test_driver.set_permission({name}, default_state).catch(() => {}));
  await test_driver.set_permission({name}, state);
}

// The same for another origin than that of the page.
async function set_permission_of(test, origin, name, state, default_state = 'granted') {
  const set = state =>
    test_driver.bidi.permissions.set_permission({descriptor: {name}, state, origin});
  test.add_cleanup(() => set(default_state).catch(() => {}));
  await set(state);
}

// The permission that periodic sync needs, until the end of the test.
function allow_periodic_sync(test, origin = location.origin) {
  const name = 'periodic-background-sync';
  return origin === location.origin
    ? set_permission(test, name, 'granted', 'denied')
    : set_permission_of(test, origin, name, 'granted', 'denied');
}

// Tests that go on after the browser was killed and started again. Each has `before(test)`, which gives what
// `after(test, state)` gets; all run before the one restart.
function restart_tests(tests) {
  const parameters = new URL(location.href).searchParams;
  const states = JSON.parse(parameters.get('restarted') || 'null');
  if (states) {
    for (const {name, after} of tests) {
      promise_test(test => after(test, states[name]), name);
    }
    return;
  }
  let failure;
  promise_setup(async () => {
    // Nothing is cleaned up: the profile lives on.
    const test = {add_cleanup() {}};
    try {
      const states = {};
      for (const {name, before} of tests) {
        states[name] = await before(test) ?? null;
      }
      const url = new URL(location.href);
      url.searchParams.set('restarted', JSON.stringify(states));
      await test_driver.restart(url.href);
      // This page ends now.
      await new Promise(() => {});
    } catch (error) {
      failure = error;
    }
  });
  for (const {name} of tests) {
    promise_test(async () => { throw failure; }, name);
  }
}

// Moves the clock after the restart, once for all tests: what fires then is held until its test takes it.
let passed_back_off;
function back_off_is_over() {
  passed_back_off = passed_back_off || test_driver.advance_time(longer_than_any_back_off);
  return passed_back_off;
}

// The worker of a test that was started before the restart.
async function find_worker(test, scope) {
  const worker = new SyncWorker(test, scope);
  worker.registration = await navigator.serviceWorker.getRegistration(scope);
  assert_not_equals(worker.registration, undefined, 'the registration survives the restart');
  // An event may have fired before this page was there.
  await worker.call('tell_held');
  return worker;
}
