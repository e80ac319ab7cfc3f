// META: title=Background Sync: insecure contexts

'use strict';

test(() => {
  assert_false(self.isSecureContext);
  assert_false('serviceWorker' in navigator);
}, 'There is no service worker registration in an insecure context');

test(() => {
  assert_false(self.isSecureContext);
  assert_false('ServiceWorkerRegistration' in self && 'sync' in ServiceWorkerRegistration.prototype);
}, 'registration.sync is not exposed in an insecure context');
