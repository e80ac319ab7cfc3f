// META: title=Background Sync: how many events at once
// META: script=resources/helpers.js

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
