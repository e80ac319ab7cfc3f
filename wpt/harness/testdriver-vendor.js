// What the runner (ports/syncshell/wpt) does for tests that a page cannot do. It works with upstream's
// testdriver.js and with the small one beside it. A call that the browser cannot do is rejected, so that a
// test does not hang; its result is PRECONDITION_FAILED, with a message that says "unsupported operation".
//
// The runner gives the page the function `__wptDriver(text)`, to which the page passes a call as JSON,
// {id, command, params}, and evaluates `__wptDriverReply({id, result})` or `__wptDriverReply({id, error})`
// when it is done.
(function() {
  "use strict";

  const calls = new Map();
  let last_id = 0;

  window.__wptDriverReply = ({id, result, error}) => {
    const call = calls.get(id);
    if (!call) {
      return;
    }
    calls.delete(id);
    if (error === undefined) {
      call.resolve(result);
    } else if (error === "unsupported operation") {
      call.reject(unsupported(call.command));
    } else {
      call.reject(new Error(`${call.command}: ${error}`));
    }
  };

  function unsupported(command) {
    return new OptionalFeatureUnsupportedError(`${command}: unsupported operation`);
  }

  function call(command, params) {
    return new Promise((resolve, reject) => {
      if (typeof window.__wptDriver !== "function") {
        reject(unsupported(command));
        return;
      }
      const id = ++last_id;
      calls.set(id, {command, resolve, reject});
      window.__wptDriver(JSON.stringify({id, command, params}));
    });
  }

  const set_permission = ({descriptor, state, origin}) =>
    call("set_permission", {descriptor, state, origin});

  window.test_driver_internal.set_permission = set_permission;

  const driver = window.test_driver;
  const bidi = driver.bidi || (driver.bidi = {});

  // https://w3c.github.io/webdriver-bidi/#command-emulation-setNetworkConditions, and below it what is
  // missing there: the conditions of one service worker registration alone, named by its scope.
  const emulation = bidi.emulation || (bidi.emulation = {});
  emulation.set_network_conditions = ({networkConditions, serviceWorkerScope}) => {
    if (networkConditions && networkConditions.type !== "offline") {
      return Promise.reject(unsupported("set_network_conditions"));
    }
    return call("set_network_conditions", {
      offline: Boolean(networkConditions),
      scope: serviceWorkerScope,
    });
  };

  // https://www.w3.org/TR/permissions/#webdriver-bidi-command-permissions-setPermission
  const permissions = bidi.permissions || (bidi.permissions = {});
  permissions.set_permission = set_permission;

  // What no specification has yet.

  // Moves the clocks of the browser forward, and its timers with them.
  driver.advance_time = milliseconds => call("advance_time", {milliseconds});

  // Terminates the active worker of the registration with this scope, as if the browser needed its memory.
  // Tells whether there was one.
  driver.stop_service_worker = scope => call("stop_service_worker", {scope});

  // Kills the browser, starts it again with the same profile, and opens `url` in it: the test goes on there.
  driver.restart = url => call("restart", {url});

  // The browser's event log about the syncs of one registration, oldest entry first.
  driver.get_sync_log = scope => call("get_sync_log", {scope});
})();
