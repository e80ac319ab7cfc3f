// Connects testharness.js to the runner: it calls what the runner has put into the page before any
// script ran, in every browser under the same name. See ports/syncshell/wpt.
(function() {
  "use strict";

  // Frames and windows that a test opens report to nobody; neither does a page in a browser that
  // somebody uses by hand.
  if (typeof __wptDriver !== "function" || self !== top || self.opener) {
    return;
  }

  // The runner watches the time: a test may move the clock by which pages measure it.
  setup({output: false, explicit_timeout: true, message_events: ["completion"]});

  add_completion_callback(function(tests, status) {
    const text = value => value === null || value === undefined ? null : String(value);
    __wptDriver(JSON.stringify({
      command: "results",
      params: {
        status: status.status,
        message: text(status.message),
        subtests: tests.map(test => ({
          name: test.name,
          status: test.status,
          message: text(test.message),
        })),
      },
    }));
  });
})();
