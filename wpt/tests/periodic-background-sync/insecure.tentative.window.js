// META: title=Periodic Background Sync: interfaces in insecure contexts

'use strict';

// The specification restricts what the interface is for to secure contexts, and not the interface object.

test(() => {
  assert_false(self.isSecureContext);
  assert_false('PeriodicSyncManager' in self);
}, 'PeriodicSyncManager is not exposed in an insecure context');
