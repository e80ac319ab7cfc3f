// Runs in each page before its own scripts. Tells the runner of each subtest that begins and ends, so that not
// all is lost when the page's process dies; lets the runner end a subtest that takes too long, so that the
// next ones get their turn; and leaves out those that have killed the page before.
((left_out) => {
  "use strict";

  if (self !== top || self.opener || typeof __wptDriver !== "function") {
    return;
  }
  const driver = __wptDriver;
  const tell = (command, params) => driver(JSON.stringify({command, params}));
  const text = value => value === null || value === undefined ? null : String(value);
  const running = new Set();

  const begins = test => {
    if (running.has(test) || test.phase !== test.phases.STARTED) {
      return;
    }
    running.add(test);
    tell("subtest_begins", text(test.name));
  };
  const ends = test => {
    running.delete(test);
    tell("subtest_ends",
      {name: text(test.name), status: test.status, message: text(test.message)});
  };

  // Ends the subtests that run. Those of a worker are only told of here: there is no way to end them.
  self.__wptEndSubtest = () => {
    const tests = [...running].filter(test => test.force_timeout);
    tests.forEach(test => test.force_timeout());
    return tests.length > 0;
  };

  // Does something with a function of the harness when that defines it.
  const when_defined = (name, change) => {
    Object.defineProperty(self, name, {
      configurable: true,
      enumerable: true,
      get: () => undefined,
      set: value => Object.defineProperty(self, name, {
        configurable: true,
        enumerable: true,
        writable: true,
        value: change(value),
      }),
    });
  };
  const call_soon = callback => add => {
    // The harness can take it when all of it has run.
    queueMicrotask(() => add(callback));
    return add;
  };
  when_defined("add_test_state_callback", call_soon(begins));
  when_defined("add_result_callback", call_soon(ends));
  when_defined("promise_test", define => (run, name, properties) => {
    if (!left_out.includes(name)) {
      define(run, name, properties);
    }
  });

  addEventListener("load", () => {
    const root = document.documentElement;
    const look = () => root.classList.contains("test-wait") ? setTimeout(look, 20) : tell("loaded");
    look();
  });
})
