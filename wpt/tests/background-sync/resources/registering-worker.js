'use strict';

// A dedicated worker that registers a tag, and tells what came of it.

self.onmessage = async ({data: {scope, tag}}) => {
  try {
    const registration = await navigator.serviceWorker.getRegistration(scope);
    await registration.sync.register(tag);
    self.postMessage({tags: await registration.sync.getTags()});
  } catch (error) {
    self.postMessage({error: `${error.name}: ${error.message}`});
  }
};
