// META: title=Periodic Background Sync: the constructor of PeriodicSyncEvent
// META: global=serviceworker

'use strict';

test(() => {
  const event = new PeriodicSyncEvent('periodicsync', {tag: 'tag'});
  assert_equals(event.type, 'periodicsync');
  assert_equals(event.tag, 'tag');
  assert_true(event instanceof ExtendableEvent);
  assert_false(event instanceof SyncEvent);
}, 'An event has the type and the tag that it is constructed with');

test(() => {
  assert_false('lastChance' in new PeriodicSyncEvent('periodicsync', {tag: 'tag', lastChance: true}));
}, 'A PeriodicSyncEvent has no lastChance');

test(() => {
  assert_equals(new PeriodicSyncEvent('periodicsync', {tag: null}).tag, 'null');
  assert_equals(new PeriodicSyncEvent('periodicsync', {tag: '\udc00'}).tag, '\udc00');
  assert_equals(new PeriodicSyncEvent('periodicsync', {tag: ''}).tag, '');
}, 'The tag is converted to a DOMString');

test(() => {
  assert_throws_js(TypeError, () => new PeriodicSyncEvent('periodicsync', {}));
  assert_throws_js(TypeError, () => new PeriodicSyncEvent('periodicsync', {tag: undefined}));
  assert_throws_js(TypeError, () => new PeriodicSyncEvent('periodicsync', {tag: Symbol()}));
}, 'The tag is required');

test(() => {
  assert_throws_js(TypeError, () => new PeriodicSyncEvent());
  assert_throws_js(TypeError, () => new PeriodicSyncEvent('periodicsync'));
  assert_throws_js(TypeError, () => new PeriodicSyncEvent('periodicsync', null));
  assert_throws_js(TypeError, () => PeriodicSyncEvent('periodicsync', {tag: 'tag'}));
  assert_equals(PeriodicSyncEvent.length, 2);
}, 'Both arguments and new are required');

test(() => {
  const event = new PeriodicSyncEvent('periodicsync', {tag: 'tag', bubbles: true, cancelable: true});
  assert_true(event.bubbles);
  assert_true(event.cancelable);
  assert_false(event.isTrusted);
}, 'The members that PeriodicSyncEventInit inherits count');

test(() => {
  const event = new PeriodicSyncEvent('periodicsync', {tag: 'tag'});
  assert_throws_js(TypeError, () => { event.tag = 'other'; });
  assert_equals(event.tag, 'tag');
}, 'tag cannot be set');

test(() => {
  const event = new PeriodicSyncEvent('periodicsync', {tag: 'tag'});
  assert_throws_dom('InvalidStateError', () => event.waitUntil(Promise.resolve()));
}, 'waitUntil() of an event of its own throws an InvalidStateError');

test(() => {
  assert_equals(self.onperiodicsync, null);
  const called = [];
  self.onperiodicsync = event => { called.push(event.tag); };
  self.dispatchEvent(new PeriodicSyncEvent('periodicsync', {tag: 'first'}));
  self.onperiodicsync = 7;
  assert_equals(self.onperiodicsync, null);
  self.dispatchEvent(new PeriodicSyncEvent('periodicsync', {tag: 'second'}));
  assert_array_equals(called, ['first']);
}, 'onperiodicsync is called for a periodicsync event, and no more when it is null again');

test(() => {
  assert_true(self.registration.periodicSync instanceof PeriodicSyncManager);
  assert_equals(self.registration.periodicSync, self.registration.periodicSync);
}, 'registration.periodicSync is there in a service worker');
