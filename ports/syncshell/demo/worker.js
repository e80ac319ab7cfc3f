importScripts("outbox.js");

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("sync", (event) => {
  if (event.tag === "outbox") {
    event.waitUntil(emptyOutbox());
  }
});

async function emptyOutbox() {
  for (const mail of await outbox.all()) {
    await deliver(mail);
    await outbox.remove(mail.id);
    console.log(`delivered "${mail.subject}" to ${mail.to}`);
  }
  for (const client of await self.clients.matchAll()) {
    client.postMessage("outbox is empty");
  }
}
