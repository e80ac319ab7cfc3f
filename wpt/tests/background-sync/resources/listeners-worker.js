'use strict';

// A service worker with several listeners, which tells all windows which of them were called, in order.

let called = [];

async function tell(tag) {
  const windows = await clients.matchAll({includeUncontrolled: true, type: 'window'});
  for (const client of windows) {
    client.postMessage({scope: registration.scope, plan: {tag, called}});
  }
  called = [];
}

self.addEventListener('sync', () => called.push('first listener'));
self.onsync = function() { called.push(this === self ? 'onsync' : 'onsync with another this'); };
self.addEventListener('sync', {handleEvent() { called.push('listener object'); }});
self.addEventListener('sync', () => { called.push('throwing listener'); throw new Error('thrown'); });
self.addEventListener('sync', () => called.push('once'), {once: true});
self.addEventListener('sync', event => {
  called.push('last listener');
  event.waitUntil(tell(event.tag));
});
self.addEventListener('periodicsync', () => called.push('periodicsync'));
