importScripts(
  'workbox-core.js',
  'workbox-routing.js',
  'workbox-strategies.js',
  'workbox-precaching.js',
  'workbox-background-sync.js',
);

workbox.core.skipWaiting();
workbox.core.clientsClaim();
workbox.precaching.precacheAndRoute([{url: 'index.html', revision: '1'}]);
workbox.routing.registerRoute(
  ({url}) => url.pathname === '/notes',
  new workbox.strategies.NetworkOnly({
    plugins: [new workbox.backgroundSync.BackgroundSyncPlugin('notes')],
  }),
  'POST',
);
