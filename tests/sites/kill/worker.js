self.addEventListener("sync", (event) => {
  event.waitUntil(
    fetch(`deliveries/${event.tag}`, { method: "POST", body: event.tag }).then((response) => {
      if (!response.ok) {
        throw new Error(`the server answered ${response.status}`);
      }
    }),
  );
});
