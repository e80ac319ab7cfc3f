// The page's own part: it is ready when its worker controls it and its frame is there, and leaves notes in the outbox.
(async () => {
  const { serviceWorker } = navigator;
  await serviceWorker.register("worker.js");
  await serviceWorker.ready;
  if (!serviceWorker.controller) {
    await new Promise((done) => serviceWorker.addEventListener("controllerchange", done, { once: true }));
  }
  if (document.readyState !== "complete") {
    await new Promise((done) => addEventListener("load", done, { once: true }));
  }
  const settings = await (await fetch("settings.json")).json();
  console.log(`ready with ${settings.theme} settings; ${frames[0].document.querySelector("p").textContent}`);
})();

async function leave(note) {
  const { sync } = await navigator.serviceWorker.ready;
  await sync.register(note);
  console.log(`left ${note}`);
}
