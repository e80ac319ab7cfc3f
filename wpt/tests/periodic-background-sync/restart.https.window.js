// META: title=Periodic Background Sync: the browser is killed and started again
// META: timeout=long
// META: script=/resources/testdriver.js?feature=bidi
// META: script=/resources/testdriver-vendor.js
// META: script=/background-sync/resources/helpers.js
// META: script=/background-sync/resources/log.js
// META: script=resources/periodic-helpers.js

'use strict';

// Each worker writes what it gets into a log on the server.
async function start(t, tag, minInterval) {
  await allow_periodic_sync(t);
  const key = crypto.randomUUID();
  const worker = await start_worker(t, {script: `log-worker.js?key=${key}`});
  await worker.registration.periodicSync.register(tag, {minInterval});
  return {worker, state: {key, scope: worker.scope}};
}

async function tags({scope}) {
  const registration = await navigator.serviceWorker.getRegistration(scope);
  return registration.periodicSync.getTags();
}

restart_tests([
  {
    name: 'A tag survives',
    before: async t => (await start(t, 'tag', 3 * day)).state,
    after: async (t, state) => assert_array_equals(await tags(state), ['tag']),
  },
  {
    name: 'A tag that was unregistered does not come back',
    before: async t => {
      const {worker, state} = await start(t, 'tag', 3 * day);
      await worker.registration.periodicSync.register('other', {minInterval: 3 * day});
      await worker.registration.periodicSync.unregister('tag');
      return state;
    },
    after: async (t, state) => assert_array_equals(await tags(state), ['other']),
  },
  {
    name: 'The permission survives',
    before: async t => (await start(t, 'tag', 3 * day)).state,
    after: async () => {
      const status = await navigator.permissions.query({name: 'periodic-background-sync'});
      assert_equals(status.state, 'granted');
    },
  },
  {
    name: 'A tag fires when its interval is over, of which a part was before the restart',
    before: async t => {
      const {state} = await start(t, 'tag', 3 * day);
      await test_driver.advance_time(2 * day);
      return state;
    },
    after: async (t, {key}) => {
      await test_driver.advance_time(day + hour);
      const [event] = await new ServerLog(key).until(1);
      assert_equals(event.type, 'periodicsync');
      assert_equals(event.tag, 'tag');
    },
  },
]);
