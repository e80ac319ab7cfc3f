// META: title=Periodic Background Sync: what dedicated and shared workers see
// META: global=dedicatedworker,sharedworker

'use strict';

test(() => {
  assert_equals(typeof PeriodicSyncManager, 'function');
}, 'PeriodicSyncManager is exposed to workers');

test(() => {
  assert_false('PeriodicSyncEvent' in self);
  assert_false('onperiodicsync' in self);
}, 'PeriodicSyncEvent and onperiodicsync are not exposed to workers that are not service workers');
