// META: title=Periodic Background Sync: minInterval
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

// [EnforceRange] unsigned long long.
const refused = [
  ['-1', -1],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2^53', 2 ** 53],
  ['10^30', 1e30],
  ['a word', 'often'],
  ['an object', {}],
  ['a symbol', Symbol('often')],
  ['a BigInt', 1n],
];

for (const [name, minInterval] of refused) {
  promise_test(async t => {
    const {registration} = await start_periodic_worker(t);
    await promise_rejects_js(t, TypeError, registration.periodicSync.register('tag', {minInterval}));
    assert_array_equals(await registration.periodicSync.getTags(), []);
  }, `register() with minInterval ${name} is rejected with a TypeError`);
}

const taken = [
  ['undefined', undefined],
  ['null', null],
  ['0', 0],
  ['-0', -0],
  ['-0.9', -0.9],
  ['0.5', 0.5],
  ['2^53 - 1', 2 ** 53 - 1],
  ['true', true],
  ['a string with a number', ' 1e3 '],
  ['an object with valueOf()', {valueOf: () => 1000}],
];

for (const [name, minInterval] of taken) {
  promise_test(async t => {
    const {registration} = await start_periodic_worker(t);
    await registration.periodicSync.register('tag', {minInterval});
    assert_array_equals(await registration.periodicSync.getTags(), ['tag']);
  }, `register() takes minInterval ${name}`);
}

for (const [name, options] of [['undefined', undefined], ['null', null], ['an empty object', {}],
                               ['a function', () => {}]]) {
  promise_test(async t => {
    const {registration} = await start_periodic_worker(t);
    await registration.periodicSync.register('tag', options);
    assert_array_equals(await registration.periodicSync.getTags(), ['tag']);
  }, `register() takes ${name} as options`);
}

for (const [name, options] of [['a number', 1000], ['a string', '1000'], ['a boolean', true]]) {
  promise_test(async t => {
    const {registration} = await start_periodic_worker(t);
    await promise_rejects_js(t, TypeError, registration.periodicSync.register('tag', options));
    assert_array_equals(await registration.periodicSync.getTags(), []);
  }, `register() with ${name} as options is rejected with a TypeError`);
}

promise_test(async t => {
  const {registration} = await start_periodic_worker(t);
  const error = new Error('thrown by the getter');
  const options = {get minInterval() { throw error; }};
  await promise_rejects_exactly(t, error, registration.periodicSync.register('tag', options));
  assert_array_equals(await registration.periodicSync.getTags(), []);
}, 'register() is rejected with what the getter of minInterval throws');

promise_test(async t => {
  const worker = await register_worker(t, {script: 'controlled-worker.js?install=hold'});
  const {registration} = worker;
  await promise_rejects_js(t, TypeError, registration.periodicSync.register('tag', {minInterval: -1}));
  await worker.call_on(registration.installing, 'release');
}, 'minInterval is converted before the state of the worker is looked at');
