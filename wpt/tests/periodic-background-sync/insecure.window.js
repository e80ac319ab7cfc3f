// META: title=Periodic Background Sync: insecure contexts

'use strict';

test(() => {
  assert_false(self.isSecureContext);
  assert_false('ServiceWorkerRegistration' in self
    && 'periodicSync' in ServiceWorkerRegistration.prototype);
}, 'registration.periodicSync is not exposed in an insecure context');
