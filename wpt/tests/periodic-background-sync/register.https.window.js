// META: title=Periodic Background Sync: register(), getTags() and unregister()
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  assert_array_equals(await worker.periodic_tags(), []);
  await worker.registration.periodicSync.register('tag', {minInterval: day});
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'A tag that is registered is in the list');

const tags = {
  'an empty tag': '',
  'a tag with U+0000 and line ends': 'a\0\r\nb',
  'a tag with characters outside the basic plane': '\u{1f600}',
  'a tag with a lone surrogate': '\udc00a',
};

for (const [name, tag] of Object.entries(tags)) {
  promise_test(async t => {
    const worker = await start_periodic_worker(t);
    await worker.registration.periodicSync.register(tag);
    assert_array_equals((await worker.periodic_tags()).map(printable), [printable(tag)]);
    await until_due();
    assert_array_equals((await worker.next_event()).tag_units, code_units(tag));
    await worker.registration.periodicSync.unregister(tag);
    assert_array_equals(await worker.periodic_tags(), []);
  }, `register() and unregister() take ${name}`);
}

promise_test(async t => {
  const {registration} = await start_periodic_worker(t);
  await registration.periodicSync.register(null);
  await registration.periodicSync.register(7);
  assert_array_equals(await registration.periodicSync.getTags(), ['null', '7']);
  await registration.periodicSync.unregister({toString: () => '7'});
  assert_array_equals(await registration.periodicSync.getTags(), ['null']);
}, 'The tags of register() and unregister() are converted to strings');

promise_test(async t => {
  const {registration} = await start_periodic_worker(t);
  await promise_rejects_js(t, TypeError, registration.periodicSync.register(Symbol('tag')));
  await promise_rejects_js(t, TypeError, registration.periodicSync.unregister(Symbol('tag')));
}, 'A symbol is not a tag');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag', {minInterval: day});
  await periodicSync.register('tag', {minInterval: day});
  await periodicSync.register('tag', {minInterval: 2 * day});
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'A tag is in the list once, however often it is registered');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const tags = ['zebra', 'apple', '10', '9', ''];
  for (const tag of tags) {
    await worker.registration.periodicSync.register(tag);
  }
  await worker.registration.periodicSync.register('apple', {minInterval: day});
  assert_array_equals(await worker.periodic_tags(), tags);
}, 'getTags() gives the tags in the order in which they were registered');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  const first = await periodicSync.getTags();
  first.push('added by the page');
  assert_array_equals(await periodicSync.getTags(), []);
}, 'getTags() gives a new array each time');

promise_test(async t => {
  const workers = [await start_periodic_worker(t), await start_periodic_worker(t)];
  await workers[0].registration.periodicSync.register('first');
  await workers[1].registration.periodicSync.register('second');
  assert_array_equals(await workers[0].periodic_tags(), ['first']);
  await workers[0].registration.periodicSync.unregister('second');
  assert_array_equals(await workers[1].periodic_tags(), ['second']);
}, 'getTags() and unregister() are about one service worker registration');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('a');
  await periodicSync.register('b');
  await periodicSync.unregister('a');
  assert_array_equals(await worker.periodic_tags(), ['b']);
}, 'unregister() removes the tag and no other');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const {periodicSync} = worker.registration;
  await periodicSync.register('tag');
  await periodicSync.unregister('other');
  await periodicSync.unregister('Tag');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
}, 'unregister() of a tag that is not registered succeeds, and does nothing');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  assert_equals(worker.registration.active, null);
  await worker.registration.periodicSync.unregister('tag');
  assert_array_equals(await worker.periodic_tags(), []);
  await worker.call_on(worker.registration.installing, 'release');
}, 'unregister() and getTags() need no active worker');

promise_test(async t => {
  await allow_periodic_sync(t);
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  const {registration} = worker;
  const installing = registration.installing;
  await promise_rejects_dom(t, 'InvalidStateError', registration.periodicSync.register('tag'));
  await worker.call_on(installing, 'release');
  await until_state(installing, 'activated');
  assert_array_equals(await worker.periodic_tags(), []);
}, 'register() is rejected while there is no active worker');

promise_test(async t => {
  await allow_periodic_sync(t);
  const worker = await register_worker(t, {script: 'controlled-worker.js?activate=hold'});
  const activating = worker.registration.installing;
  await until_state(activating, 'activating');
  await worker.registration.periodicSync.register('tag');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await worker.call_on(activating, 'release');
}, 'register() succeeds while the active worker is activating');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.unregister();
  await promise_rejects_dom(t, 'InvalidStateError', worker.registration.periodicSync.register('tag'));
  assert_array_equals(await worker.registration.periodicSync.getTags(), []);
}, 'register() is rejected after the service worker was unregistered');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  const old = worker.registration;
  await old.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  await promise_rejects_dom(t, 'InvalidStateError', old.periodicSync.register('tag'));
  await again.registration.periodicSync.register('tag', {minInterval: day});
  assert_array_equals(await old.periodicSync.getTags(), []);
  await old.periodicSync.unregister('tag');
  assert_array_equals(await again.periodic_tags(), ['tag']);
}, 'A PeriodicSyncManager of a registration that is gone does nothing to the one that took its place');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: day});
  await worker.registration.unregister();
  const again = await start_worker(t, {scope: worker.scope});
  assert_array_equals(await again.periodic_tags(), []);
  await test_driver.advance_time(2 * day);
  await again.assert_no_event('tags of a registration that is gone do not fire');
}, 'The tags go when the service worker is unregistered');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await go_offline(t);
  await worker.registration.periodicSync.register('tag');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await worker.registration.periodicSync.unregister('tag');
  assert_array_equals(await worker.periodic_tags(), []);
}, 'register() and unregister() succeed while offline');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.call('periodic_register', 'tag', {minInterval: day});
  assert_array_equals(await worker.call('periodic_get_tags'), ['tag']);
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  await worker.call('periodic_unregister', 'tag');
  assert_array_equals(await worker.periodic_tags(), []);
}, 'A service worker can register, list and unregister');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: day});
  await worker.register('one-shot');
  const event = await worker.next_event();
  assert_equals(event.type, 'sync');
  assert_array_equals(await worker.periodic_tags(), ['tag']);
  assert_array_equals(await worker.tags(), ['one-shot']);
  await event.fulfil();
}, 'The lists of both kinds of sync are separate');

promise_test(async t => {
  const worker = await start_periodic_worker(t);
  await worker.registration.periodicSync.register('tag', {minInterval: day});
  await worker.register('tag');
  await (await worker.next_event()).fulfil();
  await worker.tags_become([]);
  assert_array_equals(await worker.periodic_tags(), ['tag'], 'the periodic one stays');
  await go_offline(t);
  await worker.register('tag');
  await worker.registration.periodicSync.unregister('tag');
  assert_array_equals(await worker.tags(), ['tag'], 'the one-shot one stays');
}, 'A tag may be registered for both kinds of sync, which do not know of each other');
