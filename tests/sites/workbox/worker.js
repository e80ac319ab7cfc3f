importScripts("workbox-core.js", "workbox-background-sync.js");

const queue = new workbox.backgroundSync.Queue("mails");

self.addEventListener("message", event => {
  const request = new Request("/mails", {
    method: "POST",
    headers: { "Content-Type": "text/plain" },
    body: event.data,
  });
  event.waitUntil(queue.pushRequest({ request }).then(() => event.ports[0].postMessage("queued")));
});
