// META: title=Background Sync: tags that are no valid Unicode, over a restart of the browser
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js

'use strict';

// In a file of its own, because a browser may take such a tag for a broken message and end the page.

restart_tests([
  {
    name: 'Tags with lone surrogates survive unchanged',
    before: async t => {
      const worker = await start_worker(t);
      await go_offline(t, worker.scope);
      for (const tag of ['\ud800', '\udc00', 'a\ud800b', '\ufffd']) {
        await worker.register(tag);
      }
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      const events = await worker.next_events(4);
      assert_array_equals(events.map(event => printable(event.tag)).sort(),
        ['\ud800', '\udc00', 'a\ud800b', '\ufffd'].map(printable).sort());
    },
  },
]);
