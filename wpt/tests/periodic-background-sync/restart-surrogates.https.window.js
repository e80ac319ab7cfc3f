// META: title=Periodic Background Sync: a tag with a lone surrogate when the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=resources/periodic-helpers.js

'use strict';

// Apart from the other tests of restarts: there are browsers that cannot even register such a tag.

restart_tests([
  {
    name: 'A tag with a lone surrogate survives unchanged',
    before: async t => {
      const worker = await start_periodic_worker(t);
      await worker.registration.periodicSync.register('a\ud800\0');
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_array_equals((await worker.periodic_tags()).map(printable), [printable('a\ud800\0')]);
      await until_due();
      assert_array_equals((await worker.next_event()).tag_units, code_units('a\ud800\0'));
    },
  },
]);
