// META: global=window,worker
// META: title=Interfaces of Periodic Background Synchronization
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: script=resources/registration.js
// META: timeout=long

idl_test(["periodic-background-sync"], ["service-workers", "dom", "html"], async (idl, test) => {
  if ("ServiceWorkerGlobalScope" in self) {
    idl.add_objects({
      PeriodicSyncEvent: ["new PeriodicSyncEvent('type', { tag: 'tag' })"],
      ServiceWorkerGlobalScope: ["self"],
    });
  } else {
    await registerForInterfaces(test);
  }
  idl.add_objects({
    PeriodicSyncManager: ["registration.periodicSync"],
    ServiceWorkerRegistration: ["registration"],
  });
});
