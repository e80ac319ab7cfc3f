// META: global=window,worker
// META: title=Interfaces of Background Synchronization
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: script=resources/registration.js
// META: timeout=long

idl_test(["background-sync"], ["service-workers", "dom", "html"], async (idl, test) => {
  if ("ServiceWorkerGlobalScope" in self) {
    idl.add_objects({
      ServiceWorkerGlobalScope: ["self"],
      SyncEvent: ["new SyncEvent('type', { tag: 'tag' })"],
    });
  } else {
    await registerForInterfaces(test);
  }
  idl.add_objects({
    ServiceWorkerRegistration: ["registration"],
    SyncManager: ["registration.sync"],
  });
});
