// META: title=Background Sync: the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=resources/helpers.js
// META: script=resources/log.js

'use strict';

// A worker that writes what it gets into a log on the server, and that is offline until the restart.
async function start_offline(t, tags, outcomes = 'fulfil') {
  const key = crypto.randomUUID();
  const worker = await start_worker(t, {script: `log-worker.js?key=${key}&outcomes=${outcomes}`});
  await go_offline(t, worker.scope);
  for (const tag of tags) {
    await worker.register(tag);
  }
  return {key, scope: worker.scope};
}

async function registered_tags(scope) {
  const registration = await navigator.serviceWorker.getRegistration(scope);
  return registration.sync.getTags();
}

restart_tests([
  {
    name: 'A tag fires that was registered offline before the restart',
    before: t => start_offline(t, ['tag']),
    after: async (t, {key, scope}) => {
      const [event] = await new ServerLog(key).until(1);
      assert_equals(event.type, 'sync');
      assert_equals(event.tag, 'tag');
      assert_equals(event.lastChance, false);
      await until_equal(() => registered_tags(scope), []);
    },
  },
  {
    name: 'All tags fire that were registered before the restart, each once',
    before: t => start_offline(t, ['c', 'a', 'b', 'a']),
    after: async (t, {key, scope}) => {
      await new ServerLog(key).until(3);
      await until_equal(() => registered_tags(scope), []);
      const events = await new ServerLog(key).read();
      assert_array_equals(events.map(event => event.tag).sort(), ['a', 'b', 'c']);
    },
  },
  {
    name: 'Tags of all kinds survive unchanged',
    before: async t => {
      const worker = await start_worker(t);
      await go_offline(t, worker.scope);
      for (const tag of ['', 'a\0', '\ufffd', '\u{1f600}', ' ']) {
        await worker.register(tag);
      }
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      const events = await worker.next_events(5);
      assert_array_equals(events.map(event => printable(event.tag)).sort(),
        ['', 'a\0', '\ufffd', '\u{1f600}', ' '].map(printable).sort());
    },
  },
  {
    name: 'getTags() keeps its order',
    before: async t => {
      const worker = await start_worker(t);
      await go_offline(t, worker.scope);
      for (const tag of ['c', 'a', 'b']) {
        await worker.register(tag);
      }
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_array_equals(await worker.tags(), ['c', 'a', 'b']);
    },
  },
  {
    name: 'A tag that succeeded before the restart does not come back',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('done');
      await (await worker.next_event()).fulfil();
      await worker.tags_become([]);
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_array_equals(await worker.tags(), []);
      await worker.assert_no_event();
    },
  },
  {
    name: 'A tag that was registered again during the event that the restart interrupted fires',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      await worker.next_event();
      await worker.register('tag');
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      const event = await worker.next_event();
      assert_equals(event.tag, 'tag');
      await event.fulfil();
      await worker.tags_become([]);
    },
  },
  {
    name: 'The tags of a service worker that was unregistered do not come back',
    before: async t => {
      const worker = await start_worker(t);
      await go_offline(t, worker.scope);
      await worker.register('tag');
      await worker.registration.unregister();
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await start_worker(t, {scope});
      assert_array_equals(await worker.tags(), []);
      await worker.assert_no_event();
    },
  },
  // These move the clock.
  {
    name: 'A tag that waits for a retry fires after the restart, when the back-off is over',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      await (await worker.next_event()).reject();
      await worker.barrier();
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      await back_off_is_over();
      const event = await worker.next_event();
      assert_equals(event.tag, 'tag');
      await event.fulfil();
      await worker.tags_become([]);
    },
  },
  {
    name: 'An event that the restart interrupted is tried again',
    before: async t => {
      const worker = await start_worker(t);
      await worker.register('tag');
      await worker.next_event();
      return {scope: worker.scope};
    },
    after: async (t, {scope}) => {
      const worker = await find_worker(t, scope);
      assert_array_equals(await worker.tags(), ['tag']);
      await back_off_is_over();
      const event = await worker.next_event();
      assert_equals(event.tag, 'tag');
      await event.fulfil();
      await worker.tags_become([]);
    },
  },
]);
