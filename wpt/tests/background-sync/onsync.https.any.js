// META: title=Background Sync: what service workers see
// META: global=serviceworker

'use strict';

test(() => {
  assert_true('onsync' in self);
  assert_equals(self.onsync, null);
}, 'onsync is null at first');

test(() => {
  const handler = () => {};
  self.onsync = handler;
  assert_equals(self.onsync, handler);
  self.onsync = null;
  assert_equals(self.onsync, null);
}, 'onsync can be set to a function and to null');

test(() => {
  self.onsync = 7;
  assert_equals(self.onsync, null);
  const object = {handleEvent() {}};
  self.onsync = object;
  assert_equals(self.onsync, object);
  self.onsync = null;
}, 'onsync takes objects, and nothing else');

test(() => {
  let called = [];
  self.onsync = event => { called.push(event.tag); };
  self.dispatchEvent(new SyncEvent('sync', {tag: 'own'}));
  self.onsync = null;
  self.dispatchEvent(new SyncEvent('sync', {tag: 'second'}));
  assert_array_equals(called, ['own']);
}, 'onsync is called for a sync event, and no more when it is null again');

test(() => {
  assert_equals(typeof SyncManager, 'function');
  assert_equals(typeof SyncEvent, 'function');
  assert_true(self.registration.sync instanceof SyncManager);
  assert_equals(self.registration.sync, self.registration.sync);
}, 'SyncManager, SyncEvent and registration.sync are there');
