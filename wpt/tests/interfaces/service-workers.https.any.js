// META: global=window,worker
// META: title=Interfaces of Service Workers
// META: script=/resources/WebIDLParser.js
// META: script=/resources/idlharness.js
// META: script=resources/registration.js
// META: timeout=long

idl_test(["service-workers"], ["dom", "html"], async (idl, test) => {
  self.cache = await caches.open("interfaces");
  test.add_cleanup(() => caches.delete("interfaces"));
  idl.add_objects({
    CacheStorage: ["caches"],
    Cache: ["cache"],
    ServiceWorkerContainer: ["navigator.serviceWorker"],
  });
  if ("ServiceWorkerGlobalScope" in self) {
    idl.add_objects({
      Clients: ["clients"],
      ExtendableEvent: ["new ExtendableEvent('type')"],
      ExtendableMessageEvent: ["new ExtendableMessageEvent('type')"],
      FetchEvent: ["new FetchEvent('type', { request: new Request('') })"],
      InstallEvent: ["new InstallEvent('type')"],
      NavigationPreloadManager: ["registration.navigationPreload"],
      ServiceWorker: ["serviceWorker"],
      ServiceWorkerGlobalScope: ["self"],
      ServiceWorkerRegistration: ["registration"],
    });
  } else {
    await registerForInterfaces(test);
    idl.add_objects({
      NavigationPreloadManager: ["registration.navigationPreload"],
      ServiceWorker: ["worker"],
      ServiceWorkerRegistration: ["registration"],
    });
  }
});
