// A registration outside of service workers: `registration`, and one of its workers, `worker`.
async function registerForInterfaces(test) {
  const folder = new URL("resources/", location.href);
  self.registration = await navigator.serviceWorker.register(
    new URL("empty-worker.js", folder), { scope: new URL("nowhere/", folder) });
  test.add_cleanup(() => registration.unregister());
  self.worker = registration.installing ?? registration.waiting ?? registration.active;
}
