self.addEventListener("sync", () => {});
