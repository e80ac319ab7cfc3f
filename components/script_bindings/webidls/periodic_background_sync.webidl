// https://wicg.github.io/periodic-background-sync/

partial interface ServiceWorkerRegistration {
  [Throws] readonly attribute PeriodicSyncManager periodicSync;
};

[SecureContext, Exposed=(Window,Worker)]
interface PeriodicSyncManager {
  Promise<undefined> register(DOMString tag, optional BackgroundSyncOptions options = {});
  Promise<sequence<DOMString>> getTags();
  Promise<undefined> unregister(DOMString tag);
};

dictionary BackgroundSyncOptions {
  [EnforceRange] unsigned long long minInterval = 0;
};

partial interface ServiceWorkerGlobalScope {
  attribute EventHandler onperiodicsync;
};

[Exposed=ServiceWorker]
interface PeriodicSyncEvent : ExtendableEvent {
  constructor(DOMString type, PeriodicSyncEventInit init);
  readonly attribute DOMString tag;
};

dictionary PeriodicSyncEventInit : ExtendableEventInit {
  required DOMString tag;
};
