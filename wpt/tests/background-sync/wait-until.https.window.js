// META: title=Background Sync: waitUntil() of the sync event
// META: script=resources/helpers.js

'use strict';

// The tags are names of plans in plan-worker.js.

const succeed = [
  'nothing',
  'fulfilled',
  'fulfilled later',
  'no promise',
  'thenable that fulfils',
  'all fulfilled',
  'throws',
  'fulfilled and throws',
  'promise returned, not waited for',
  'preventDefault',
  'extended while pending, fulfilled',
];

const fail = [
  'rejected',
  'rejected later',
  'rejected with undefined',
  'thenable that rejects',
  'first of three rejected',
  'last of three rejected',
  'rejected and throws',
  'extended while pending, rejected',
  'extended in a microtask, rejected',
];

for (const tag of succeed) {
  promise_test(async t => {
    const worker = await start_worker(t, {script: 'plan-worker.js'});
    await worker.register(tag);
    await worker.next_event(tag);
    await worker.tags_become([]);
  }, `An event succeeds: ${tag}`);
}

for (const tag of fail) {
  promise_test(async t => {
    const worker = await start_worker(t, {script: 'plan-worker.js'});
    await worker.register(tag);
    const {lastChance} = await worker.next_event(tag);
    assert_false(lastChance);
    // The tag stays. Events that began later and have been removed show that this one is over, too.
    for (const other of ['fulfilled later', 'all fulfilled']) {
      await worker.register(other);
      await worker.next_event(other);
      await worker.tags_become([tag], 'the tag waits for a retry');
    }
  }, `An event fails, and its tag stays: ${tag}`);
}

const results = {
  'waitUntil in a later task': 'InvalidStateError',
  'waitUntil after all have settled': 'InvalidStateError',
  'waitUntil while another is pending': 'no exception',
  'waitUntil in a microtask': 'no exception',
  'waitUntil of an event of its own': 'InvalidStateError',
  'waitUntil of an event of its own while it is dispatched': 'InvalidStateError',
};

for (const [tag, expected] of Object.entries(results)) {
  promise_test(async t => {
    const worker = await start_worker(t, {script: 'plan-worker.js'});
    await worker.register(tag);
    const {result} = await worker.next_event(tag);
    assert_equals(result, expected);
  }, `${tag}: ${expected}`);
}

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.register('tag');
  await worker.next_event();
  await worker.barrier();
  assert_array_equals(await worker.tags(), ['tag']);
}, 'A tag stays while a promise of its event is pending');
