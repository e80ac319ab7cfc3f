//! How long transactions live, and how they end.

use super::host::Profile;

#[test]
fn an_outbox_is_filled_read_and_emptied() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         let transaction = database.transaction('outbox', 'readwrite');
         transaction.objectStore('outbox').add({ to: 'a@example.org', text: 'one' });
         transaction.objectStore('outbox').add({ to: 'b@example.org', text: 'two' });
         await completed(transaction);
         const mails = await requested(database.transaction('outbox').objectStore('outbox').getAll());
         transaction = database.transaction(['outbox'], 'readwrite');
         for (const mail of mails) transaction.objectStore('outbox').delete(mail.id);
         await completed(transaction);
         const left = await requested(database.transaction('outbox').objectStore('outbox').count());
         return JSON.stringify(mails) + ' ' + left;",
    );
    assert_eq!(
        result,
        r#"[{"to":"a@example.org","text":"one","id":1},{"to":"b@example.org","text":"two","id":2}] 0"#
    );
}

#[test]
fn awaiting_requests_keeps_a_transaction_active_and_awaiting_others_does_not() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         const end = completed(transaction);
         for (let key = 0; key < 5; key++) {
             const old = await requested(store.get(key));
             await requested(store.put((old ?? 0) + key, key));
         }
         const all = await requested(store.getAll());
         await task();
         return [all, failure(() => store.get(1)), await end].join(' ');",
    );
    assert_eq!(result, "0,1,2,3,4 TransactionInactiveError complete");
}

#[test]
fn a_transaction_is_active_until_the_microtasks_of_its_task_have_run() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         await task();
         const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         await null; await null;
         const during = failure(() => store.put(1, 1)), end = completed(transaction);
         await task();
         const after = failure(() => store.put(2, 2));
         await end;
         return [during, after, failure(() => transaction.objectStore('plain'))].join();",
    );
    assert_eq!(result, "nothing,TransactionInactiveError,InvalidStateError");
}

#[test]
fn a_transaction_without_requests_completes() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         return completed(database.transaction('plain'));",
    );
    assert_eq!(result, "complete");
}

#[test]
fn events_come_in_the_order_of_requests_and_bubble_to_the_database() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const log = [];
         database.onerror = event => {
             log.push('database ' + event.target.error.name);
             event.preventDefault();
         };
         const transaction = database.transaction('in-line', 'readwrite');
         transaction.onerror = event => log.push('transaction ' + (event.currentTarget === transaction));
         transaction.onsuccess = () => log.push('must not bubble');
         const store = transaction.objectStore('in-line');
         store.add({ id: 1 }).onsuccess = event => log.push('added ' + event.target.result);
         const again = store.add({ id: 1 });
         again.onerror = event => log.push([event.bubbles, event.cancelable, event.eventPhase].join());
         again.addEventListener('error', () => log.push('capture'), true);
         transaction.addEventListener('error', () => log.push('transaction capture'), true);
         store.count().onsuccess = event => log.push('count ' + event.target.result);
         log.push(again.readyState);
         await completed(transaction);
         return log.join('; ');",
    );
    assert_eq!(
        result,
        "pending; added 1; transaction capture; capture; true,true,2; transaction true; \
         database ConstraintError; count 1"
    );
}

#[test]
fn an_error_that_nothing_prevents_aborts_and_undoes_everything() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('in-line', 'readwrite');
         const store = transaction.objectStore('in-line');
         store.add({ id: 1 });
         store.add({ id: 1 });
         const log = [];
         const pending = store.get(1);
         pending.onerror = () => log.push('pending ' + pending.error.name);
         database.onabort = event => log.push('abort ' + (event.target === transaction));
         await new Promise(resolve => transaction.addEventListener('abort', resolve));
         await task();
         const count = await requested(database.transaction('in-line').objectStore('in-line').count());
         return [...log, transaction.error.name, count].join('; ');",
    );
    assert_eq!(result, "pending AbortError; abort true; ConstraintError; 0");
}

#[test]
fn an_exception_in_a_handler_aborts() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run_with_errors(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         transaction.objectStore('plain').put(1, 1).onsuccess = () => { throw new Error('oh'); };
         const error = await completed(transaction).catch(error => error.name);
         const count = await requested(database.transaction('plain').objectStore('plain').count());
         return error + ' ' + count;",
    );
    assert_eq!(result, "AbortError 0");
    assert_eq!(page.page.uncaught(), ["Error: oh"]);
}

#[test]
fn aborting_fails_what_is_pending_and_undoes_everything() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         const put = store.put('x', 1);
         const errors = [];
         put.onerror = () => errors.push(put.error.name, put.result);
         transaction.abort();
         errors.push(failure(() => transaction.abort()), failure(() => store.get(1)));
         const reason = await completed(transaction).catch(reason => reason);
         const value = await requested(database.transaction('plain').objectStore('plain').get(1));
         return [...errors, reason, transaction.error, value].map(String).join();",
    );
    assert_eq!(
        result,
        "InvalidStateError,TransactionInactiveError,AbortError,undefined,aborted,null,undefined"
    );
}

#[test]
fn committing_takes_no_requests_but_answers_those_that_were_made() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         const put = requested(store.put('x', 1));
         transaction.commit();
         const refused = failure(() => store.put('y', 2));
         return [refused, failure(() => transaction.commit()), failure(() => transaction.abort()),
                 await put, await completed(transaction)].join();",
    );
    assert_eq!(
        result,
        "TransactionInactiveError,InvalidStateError,InvalidStateError,1,complete"
    );
}

#[test]
fn a_failure_while_committing_aborts_whatever_handlers_do() {
    let profile = Profile::in_memory();
    let page = profile.page();
    let result = page.run(
        "const database = await mailbox();
         const transaction = database.transaction('in-line', 'readwrite');
         const store = transaction.objectStore('in-line');
         store.add({ id: 1 });
         store.add({ id: 1 }).onerror = event => event.preventDefault();
         transaction.commit();
         const error = await completed(transaction).catch(error => error.name);
         const count = await requested(database.transaction('in-line').objectStore('in-line').count());
         return error + ' ' + count;",
    );
    assert_eq!(result, "ConstraintError 0");
}

#[test]
fn a_writer_waits_for_another_and_sees_what_it_wrote() {
    let profile = Profile::in_memory();
    let (page, worker) = (profile.page(), profile.worker());
    page.run("self.database = await mailbox();");
    worker.run("self.database = await mailbox();");
    let increment = "const transaction = database.transaction('plain', 'readwrite');
         const store = transaction.objectStore('plain');
         const end = completed(transaction);
         const value = await requested(store.get('n')) ?? 0;
         await requested(store.put(value + 1, 'n'));
         await end;
         return value + 1;";
    let (first, second) = (page.start(increment), worker.start(increment));
    let mut results = [page.finish(&first), worker.finish(&second)];
    results.sort();
    assert_eq!(results, ["1", "2"]);
}

#[test]
fn a_global_object_that_goes_away_leaves_nothing_half_done() {
    let profile = Profile::in_memory();
    let page = profile.page();
    page.run(
        "const database = await mailbox();
         const transaction = database.transaction('plain', 'readwrite');
         await requested(transaction.objectStore('plain').put('lost', 1));
         self.keep = setInterval(() => {});
         (function again() { transaction.objectStore('plain').get(1).onsuccess = again; })();",
    );
    drop(page);
    let other = profile.page();
    let result = other.run(
        "const database = await opened('mailbox', 2);
         return [database.version, String(await requested(
             database.transaction('plain', 'readwrite').objectStore('plain').get(1)))].join();",
    );
    assert_eq!(result, "2,undefined");
}

#[test]
fn what_was_completed_is_there_after_reopening_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    {
        let profile = Profile::in_folder(folder.path());
        let page = profile.page();
        page.run(
            "const database = await mailbox();
             const transaction = database.transaction('outbox', 'readwrite');
             transaction.objectStore('outbox').add({ text: 'kept', at: new Date(5) });
             await completed(transaction);",
        );
    }
    let profile = Profile::in_folder(folder.path());
    let worker = profile.worker();
    let result = worker.run(
        "const database = await mailbox();
         const store = database.transaction('outbox', 'readwrite').objectStore('outbox');
         const [mail] = await requested(store.getAll());
         return [mail.text, mail.at.getTime(), mail.id, await requested(store.add({}))].join();",
    );
    assert_eq!(result, "kept,5,1,2");
}
