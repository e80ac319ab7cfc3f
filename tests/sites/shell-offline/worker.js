// Keeps all that the page is made of, answers from there first, and sends what is in the outbox.
const SHELL = ["./", "about.html", "app.js", "settings.json"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open("shell").then((cache) => cache.addAll(SHELL)));
});

self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));

self.addEventListener("fetch", (event) => {
  event.respondWith(caches.match(event.request).then((found) => found ?? fetch(event.request)));
});

self.addEventListener("sync", (event) => {
  event.waitUntil(fetch(`notes/${event.tag}`, { method: "POST", body: event.tag }));
});
