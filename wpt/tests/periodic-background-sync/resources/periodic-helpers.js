'use strict';

// What the tests of Periodic Background Sync need besides /background-sync/resources/helpers.js.

// The least time between two events of an origin that browsers should have: 12 hours. No test waits for less
// before it expects an event, and only files named .tentative rely on it.
const floor = 12 * hour;

// A worker whose origin may sync periodically.
async function start_periodic_worker(t, options) {
  await allow_periodic_sync(t);
  return start_worker(t, options);
}

// Moves the clock far enough that each tag is due whose interval is not longer than that of the floor, and
// that the events before do not hold it back.
function until_due() {
  return test_driver.advance_time(floor + hour);
}
