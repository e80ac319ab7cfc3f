// META: title=Background Sync: how many events at once
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js
// META: script=resources/log.js
// META: script=resources/other-origin.sub.js

'use strict';

// Not in the specification: a browser need not handle all events at once.

promise_test(async t => {
  const worker = await start_worker(t);
  const tags = Array.from({length: 20}, (_, index) => `tag ${index}`);
  await Promise.all(tags.map(tag => worker.register(tag)));
  const first = await worker.next_events(8);
  await worker.registration.sync.getTags();
  await worker.call('ping');
  worker.assert_nothing_untaken('not more than 8 at once');
  await first.shift().fulfil();
  const next = await worker.next_event();
  const events = [...first, next];
  const fired = tags.length - events.length - 1;
  for (let left = fired; left > 0; --left) {
    await events.shift().fulfil();
    events.push(await worker.next_event());
  }
  await Promise.all(events.map(event => event.fulfil()));
  await worker.tags_become([], 'all have their turn');
}, 'At most 8 events are handled at once, and each has its turn');

promise_test(async t => {
  const worker = await start_worker(t);
  const key = crypto.randomUUID();
  const popup = await open_window(t, other_origin);
  const scope = await start_remote_worker(t, popup, other_origin, `log-worker.js?key=${key}`);
  const tags = Array.from({length: 20}, (_, index) => `tag ${index}`);
  await Promise.all(tags.map(tag => worker.register(tag)));
  const events = await worker.next_events(8);
  await popup.call('register', scope, 'of another origin');
  await events.shift().fulfil();
  await events.shift().fulfil();
  const [event] = await new ServerLog(key).until(1);
  assert_equals(event.tag, 'of another origin');
  for (let left = tags.length - 2; left > 0; --left) {
    await (events.shift() || await worker.next_event()).fulfil();
  }
  await worker.tags_become([]);
}, 'An origin with many tags does not hold up another one');
