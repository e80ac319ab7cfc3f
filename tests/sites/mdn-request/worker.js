self.addEventListener("sync", (event) => {
  console.log(`sync event for ${event.tag}, last chance: ${event.lastChance}`);
});
