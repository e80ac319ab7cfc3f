// META: title=Background Sync: what dedicated and shared workers see
// META: global=dedicatedworker,sharedworker

'use strict';

test(() => {
  assert_equals(typeof SyncManager, 'function');
}, 'SyncManager is exposed to workers');

test(() => {
  assert_false('SyncEvent' in self);
  assert_false('onsync' in self);
}, 'SyncEvent and onsync are not exposed to workers that are not service workers');
