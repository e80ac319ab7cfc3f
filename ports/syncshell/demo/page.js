const ready = navigator.serviceWorker
  .register("worker.js")
  .then(() => navigator.serviceWorker.ready)
  .then((registration) => {
    console.log("the service worker is active");
    return registration;
  });

async function showCount() {
  document.getElementById("count").textContent = (await outbox.all()).length;
}

async function send(mail) {
  try {
    await deliver(mail);
    console.log(`sent "${mail.subject}" to ${mail.to}`);
  } catch (error) {
    console.log(`cannot send "${mail.subject}" now (${error.name}), it goes to the outbox`);
    await outbox.add(mail);
    const registration = await ready;
    await registration.sync.register("outbox");
    console.log(`"${mail.subject}" is in the outbox, a sync is registered`);
  }
  await showCount();
}

document.getElementById("send").addEventListener("click", () => {
  const to = document.getElementById("to").value;
  const subject = document.getElementById("subject").value;
  send({ to, subject, written: Date.now() });
});

navigator.serviceWorker.addEventListener("message", showCount);
showCount();
