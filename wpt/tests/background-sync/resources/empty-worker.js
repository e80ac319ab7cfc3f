// A service worker that listens to nothing.
