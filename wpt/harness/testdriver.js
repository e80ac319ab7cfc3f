// The part of test_driver that the tests in wpt/tests use, for runs without upstream's checkout; with it,
// upstream's file of this name is served instead. The calls have upstream's names and parameters.
(function() {
  "use strict";

  const internal = window.test_driver_internal = {};

  window.test_driver = {
    set_permission: (descriptor, state) => internal.set_permission({descriptor, state}),
  };
})();
