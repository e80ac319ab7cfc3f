// META: title=Periodic Background Sync: insecure contexts

'use strict';

test(() => {
  assert_false(self.isSecureContext);
  assert_false('PeriodicSyncManager' in self);
}, 'PeriodicSyncManager is not exposed in an insecure context');
