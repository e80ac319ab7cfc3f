// META: title=Background Sync: limits of tags
// META: script=resources/helpers.js

'use strict';

// The specification sets no limit; browsers agree on one: 10,240 bytes of UTF-8.

const limit = 10 * 1024;

for (const [name, unit, bytes] of [['ASCII', 'a', 1], ['two-byte', '\u00e9', 2], ['three-byte', '\u20ac', 3],
                                   ['four-byte', '\u{1f600}', 4]]) {
  const longest = Math.floor(limit / bytes);

  promise_test(async t => {
    const worker = await start_worker(t);
    const tag = unit.repeat(longest);
    await worker.register(tag);
    assert_equals((await worker.next_event()).tag, tag);
  }, `A tag of ${longest} ${name} characters is taken`);

  promise_test(async t => {
    const worker = await start_worker(t);
    await promise_rejects_dom(t, 'InvalidAccessError', worker.register(unit.repeat(longest + 1)));
    assert_array_equals(await worker.tags(), []);
    await worker.assert_no_event('nothing is registered');
  }, `A tag of ${longest + 1} ${name} characters is refused`);
}
