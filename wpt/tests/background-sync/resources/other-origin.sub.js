'use strict';

// Windows of another origin, for tests about origins that have no window of their own.

const other_origin = `https://{{hosts[][www1]}}:${location.port}`;
const third_origin = `https://{{hosts[][www2]}}:${location.port}`;

// A window or frame of an origin, which does what it is asked to. See remote-window.js.
class RemoteWindow {
  constructor(target) {
    this.target = target;
    this.answers = new Map();
    this.last_call = 0;
    this.listener = ({source, data}) => {
      if (source !== this.target || !this.answers.has(data.call)) {
        return;
      }
      const {resolve, reject} = this.answers.get(data.call);
      this.answers.delete(data.call);
      if (data.error) {
        reject(new DOMException(data.error.message, data.error.name));
      } else {
        resolve(data.value);
      }
    };
    window.addEventListener('message', this.listener);
  }

  call(name, ...args) {
    return new Promise((resolve, reject) => {
      const call = ++this.last_call;
      this.answers.set(call, {resolve, reject});
      this.target.postMessage({call, name, args}, '*');
    });
  }

  end() {
    window.removeEventListener('message', this.listener);
  }
}

// Resolves when the window with this name is there.
function until_loaded(name) {
  return new Promise(resolve => {
    window.addEventListener('message', function listener({data}) {
      if (data.loaded === name) {
        window.removeEventListener('message', listener);
        resolve();
      }
    });
  });
}

function remote_url(origin) {
  return `${origin}${sync_resources}remote-window.html`;
}

// Opens an auxiliary window of an origin, which is closed at the end of the test.
async function open_window(test, origin) {
  const name = `window ${unique_name()}`;
  const loaded = until_loaded(name);
  const target = window.open(remote_url(origin), name);
  assert_not_equals(target, null, 'a window can be opened');
  const remote = new RemoteWindow(target);
  remote.close = async () => {
    remote.end();
    remote.target.close();
  };
  test.add_cleanup(remote.close);
  await loaded;
  return remote;
}

async function insert_frame(origin) {
  const frame = document.createElement('iframe');
  frame.name = `frame ${unique_name()}`;
  frame.src = remote_url(origin);
  const loaded = until_loaded(frame.name);
  document.body.append(frame);
  const remote = new RemoteWindow(frame.contentWindow);
  remote.close = async () => {
    remote.end();
    frame.remove();
  };
  await loaded;
  return remote;
}

// Adds a frame of an origin, which is removed at the end of the test.
async function add_frame(test, origin) {
  const remote = await insert_frame(origin);
  test.add_cleanup(remote.close);
  return remote;
}

// Registers a service worker of the origin of a window or frame, and waits until it is in the state. It goes
// at the end of the test. Gives its scope.
async function start_remote_worker(test, remote, origin, script = 'controlled-worker.js', state = 'activated') {
  const scope = `${origin}${sync_resources}scope/${unique_name()}`;
  await remote.call('start', script, scope, state);
  test.add_cleanup(async () => {
    // The window may be closed by now, and the browser be offline.
    await go_online();
    const frame = await insert_frame(origin);
    await frame.call('unregister', scope).catch(() => {});
    await frame.close();
  });
  return scope;
}

// A closed window is gone for the browser a little later than for its opener: calls until it is.
async function until_rejected(attempt, name) {
  let error;
  for (let tries = 0; tries < 300; ++tries) {
    error = await attempt().then(() => null, error => error);
    if (error) {
      break;
    }
    await one_round_trip();
  }
  assert_not_equals(error, null, 'the call is rejected');
  assert_equals(error.name, name);
}
