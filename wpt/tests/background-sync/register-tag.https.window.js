// META: title=Background Sync: tags
// META: timeout=long
// META: script=resources/helpers.js

'use strict';

// Each tag must reach getTags() and the event unchanged.
const tags = {
  'an empty tag': '',
  'a tag of spaces': '  ',
  'a tag with line ends and tabs': 'a\r\n\tb\n',
  'a tag with U+0000': 'a\0b\0',
  'a tag with characters outside the basic plane': '\u{1f600}\u{10ffff}',
  'a tag with combining marks': 'e\u0301\u0301',
  'a tag with a lone high surrogate': 'a\ud83d',
  'a tag with a lone low surrogate': '\ude00b',
  'a tag with surrogates in the wrong order': '\ude00\ud83d',
  'a tag with U+FFFE and U+FFFF': '\ufffe\uffff',
  'a long tag': 'long '.repeat(2000),
  'a tag that is the name of a property': '__proto__',
};

for (const [name, tag] of Object.entries(tags)) {
  promise_test(async t => {
    const worker = await start_worker(t);
    await worker.register(tag);
    const event = await worker.next_event();
    assert_array_equals(event.tag_units, code_units(tag), 'the tag of the event');
    const stored = await worker.registration.sync.getTags();
    assert_array_equals(stored.map(printable), [printable(tag)]);
    await event.fulfil();
    await worker.tags_become([]);
  }, `register() takes ${name}`);
}

// Tags that are not equal, although they look so.
const different = {
  'in case': ['Tag', 'tag', 'TAG'],
  'in white space': ['tag', ' tag', 'tag '],
  'in normalization': ['\u00e9', 'e\u0301'],
  'after U+0000': ['tag\0a', 'tag\0b', 'tag'],
  'in lone surrogates': ['\ud800', '\ud801', '\udc00', '\ufffd'],
};

for (const [name, tags] of Object.entries(different)) {
  promise_test(async t => {
    const worker = await start_worker(t);
    await Promise.all(tags.map(tag => worker.register(tag)));
    const events = await worker.next_events(tags.length);
    const fired = events.map(event => printable(event.tag_units)).sort();
    assert_array_equals(fired, tags.map(tag => printable(code_units(tag))).sort());
    await Promise.all(events.map(event => event.fulfil()));
  }, `Tags that differ ${name} are different`);
}

// What is converted to a DOMString.
const converted = [
  ['undefined', undefined, 'undefined'],
  ['null', null, 'null'],
  ['a number', -0.5, '-0.5'],
  ['a boolean', true, 'true'],
  ['an array', ['a', 'b'], 'a,b'],
  ['an object with toString()', {toString: () => 'text'}, 'text'],
  ['a String object', new String('text'), 'text'],
];

for (const [name, value, tag] of converted) {
  promise_test(async t => {
    const worker = await start_worker(t);
    await worker.register(value);
    assert_equals((await worker.next_event()).tag, tag);
  }, `${name} as a tag is converted to a string`);
}

promise_test(async t => {
  const worker = await start_worker(t);
  await promise_rejects_js(t, TypeError, worker.register(Symbol('tag')));
  assert_array_equals(await worker.tags(), []);
}, 'register() with a symbol gives a promise that is rejected with a TypeError');

promise_test(async t => {
  const worker = await start_worker(t);
  const error = new Error('thrown by toString');
  await promise_rejects_exactly(t, error, worker.register({toString() { throw error; }}));
  assert_array_equals(await worker.tags(), []);
}, 'register() is rejected with what the conversion of the tag throws');

promise_test(async t => {
  const worker = await start_worker(t);
  await worker.registration.sync.register('tag', {minInterval: -1}, 'more');
  const event = await worker.next_event();
  assert_equals(event.tag, 'tag');
}, 'register() ignores further arguments');
