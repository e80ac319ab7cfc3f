// META: title=Background Sync: the constructor of SyncEvent
// META: global=serviceworker

'use strict';

test(() => {
  const event = new SyncEvent('sync', {tag: 'tag'});
  assert_equals(event.type, 'sync');
  assert_equals(event.tag, 'tag');
  assert_true(event instanceof SyncEvent);
  assert_true(event instanceof ExtendableEvent);
}, 'An event has the type and the tag that it is constructed with');

test(() => {
  assert_false(new SyncEvent('sync', {tag: 'tag'}).lastChance);
  assert_false(new SyncEvent('sync', {tag: 'tag', lastChance: undefined}).lastChance);
}, 'lastChance is false by default');

test(() => {
  assert_true(new SyncEvent('sync', {tag: 'tag', lastChance: true}).lastChance);
}, 'lastChance is what the event is constructed with');

test(() => {
  assert_equals(new SyncEvent('sync', {tag: 'tag', lastChance: 'false'}).lastChance, true);
  assert_equals(new SyncEvent('sync', {tag: 'tag', lastChance: 0}).lastChance, false);
  assert_equals(new SyncEvent('sync', {tag: 'tag', lastChance: null}).lastChance, false);
}, 'lastChance is converted to a boolean');

test(() => {
  assert_equals(new SyncEvent('sync', {tag: null}).tag, 'null');
  assert_equals(new SyncEvent('sync', {tag: 12}).tag, '12');
  assert_equals(new SyncEvent('sync', {tag: {toString: () => 'text'}}).tag, 'text');
}, 'The tag is converted to a string');

test(() => {
  assert_equals(new SyncEvent('sync', {tag: '\ud800'}).tag, '\ud800');
  assert_equals(new SyncEvent('sync', {tag: ''}).tag, '');
}, 'The tag may be empty, and have lone surrogates');

test(() => {
  assert_throws_js(TypeError, () => new SyncEvent('sync', {}));
  assert_throws_js(TypeError, () => new SyncEvent('sync', {lastChance: true}));
  assert_throws_js(TypeError, () => new SyncEvent('sync', {tag: undefined}));
}, 'The tag is required');

test(() => {
  assert_throws_js(TypeError, () => new SyncEvent('sync', {tag: Symbol()}));
}, 'A symbol is not a tag');

test(() => {
  assert_throws_js(TypeError, () => new SyncEvent());
  assert_throws_js(TypeError, () => new SyncEvent('sync'));
  assert_throws_js(TypeError, () => new SyncEvent('sync', null));
  assert_throws_js(TypeError, () => new SyncEvent('sync', undefined));
  assert_throws_js(TypeError, () => new SyncEvent('sync', 7));
}, 'Both arguments are required');

test(() => {
  assert_throws_js(TypeError, () => SyncEvent('sync', {tag: 'tag'}));
}, 'SyncEvent needs new');

test(() => {
  assert_equals(SyncEvent.length, 2);
}, 'The constructor has two required arguments');

test(() => {
  const plain = new SyncEvent('sync', {tag: 'tag'});
  assert_false(plain.bubbles);
  assert_false(plain.cancelable);
  assert_false(plain.composed);
  assert_false(plain.isTrusted);
  const event = new SyncEvent('sync', {tag: 'tag', bubbles: true, cancelable: true, composed: true});
  assert_true(event.bubbles);
  assert_true(event.cancelable);
  assert_true(event.composed);
}, 'The members that SyncEventInit inherits count');

test(() => {
  const read = [];
  const init = new Proxy({tag: 'tag'}, {
    get(target, name) {
      read.push(name);
      return target[name];
    },
  });
  new SyncEvent('sync', init);
  assert_array_equals(read, ['bubbles', 'cancelable', 'composed', 'lastChance', 'tag']);
}, 'The members are read once each, those of the inherited dictionaries first, in alphabetical order');

test(() => {
  const event = new SyncEvent('sync', {tag: 'tag'});
  assert_throws_js(TypeError, () => { event.tag = 'other'; });
  assert_throws_js(TypeError, () => { event.lastChance = true; });
  assert_equals(event.tag, 'tag');
  assert_false(event.lastChance);
}, 'tag and lastChance cannot be set');

test(() => {
  let received;
  self.addEventListener('sync', event => { received = event; }, {once: true});
  const event = new SyncEvent('sync', {tag: 'own', lastChance: true});
  assert_true(self.dispatchEvent(event));
  assert_equals(received, event);
  assert_false(event.isTrusted);
}, 'An event of its own can be dispatched by a worker');

test(() => {
  const event = new SyncEvent('sync', {tag: 'own'});
  assert_throws_dom('InvalidStateError', () => event.waitUntil(Promise.resolve()));
}, 'waitUntil() of an event of its own throws an InvalidStateError');
