self.addEventListener("periodicsync", (event) => {
  event.waitUntil(update(event.tag));
});

self.addEventListener("sync", (event) => {
  event.waitUntil(report("sent", event.tag));
});

async function update(tag) {
  const news = await fetch("news.json").then((response) => response.json());
  await report("read", tag, news.headline);
  const { periodicSync } = self.registration;
  if (tag === "again") {
    await periodicSync.register(tag, { minInterval: 12 * 60 * 60 * 1000 });
  }
  if (tag === "last") {
    await periodicSync.unregister(tag);
  }
}

async function report(what, tag, body = "") {
  const response = await fetch(`${what}/${tag}`, { method: "POST", body });
  if (!response.ok) {
    throw new Error(`the server answered ${response.status}`);
  }
}
