self.addEventListener("sync", (event) => {
  if (event.tag === "sync-messages") {
    event.waitUntil(sendOutboxMessages());
  }
});

async function sendOutboxMessages() {
  const response = await fetch("messages", { method: "POST", body: "the outbox" });
  console.log(`the server answered ${response.status}`);
}
