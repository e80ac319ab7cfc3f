//! What a killed process leaves.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use indexed_db::{
    Answer, IndexKey, IndexKeys, IndexedDbEvent, IndexedDbThread, Operation, TransactionMode,
};
use storage::{Store, StoreConfig};

use crate::thread::Client;
use crate::{get_all, name, put};

#[test]
#[ignore = "started by another test, in a process of its own"]
fn writer_process() {
    let mut folder = String::new();
    std::io::stdin().lock().read_line(&mut folder).unwrap();
    if folder.is_empty() {
        return;
    }
    let (store, _) = Store::open(StoreConfig::folder(folder.trim_end())).unwrap();
    let component = IndexedDbThread::start(store).unwrap();
    let page = Client::new(component.handle());
    let connection = page.open();
    loop {
        let scope = vec![name("a"), name("g")];
        let mode = TransactionMode::ReadWrite;
        let transaction = page
            .handle
            .create_transaction(connection, scope, mode)
            .unwrap();
        page.handle
            .operate(transaction, put("g", None, &[7; 6000]))
            .unwrap();
        let IndexedDbEvent::Answer {
            result: Ok(Answer::Key(key)),
            ..
        } = page.next()
        else {
            panic!("no key")
        };
        page.handle
            .operate(transaction, indexed(put("a", Some(key), b"same key")))
            .unwrap();
        page.handle.commit(transaction).unwrap();
        assert!(matches!(
            page.next(),
            IndexedDbEvent::Answer { result: Ok(_), .. }
        ));
        assert_eq!(page.next(), IndexedDbEvent::Completed { transaction });
        std::io::stdout().lock().write_all(b"completed\n").unwrap();
    }
}

/// With an entry in the index.
fn indexed(mut operation: Operation) -> Operation {
    if let Operation::Put { index_keys, .. } = &mut operation {
        *index_keys = vec![IndexKeys {
            index: name("i"),
            keys: vec![IndexKey::Primary],
        }];
    }
    operation
}

fn keys(page: &Client, store: &str, through: Option<&str>) -> usize {
    let connection = page.open();
    let mode = TransactionMode::ReadOnly;
    let transaction = page
        .handle
        .create_transaction(connection, vec![name(store)], mode)
        .unwrap();
    let mut operation = get_all(store);
    if let Operation::GetAll { index, .. } = &mut operation {
        *index = through.map(name);
    }
    page.handle.operate(transaction, operation).unwrap();
    page.handle.commit(transaction).unwrap();
    let answer = page.next();
    assert_eq!(page.next(), IndexedDbEvent::Completed { transaction });
    match answer {
        IndexedDbEvent::Answer {
            result: Ok(Answer::Records(records)),
            ..
        } => records.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn completed_transactions_survive_a_kill_and_others_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut completed = 0;
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::writer_process",
                "--ignored",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{}", folder.path().display()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut wanted = 15 + 7 * round;
        while wanted > 0 {
            let line = lines
                .next()
                .expect("the writer goes on until it is killed")
                .unwrap();
            wanted -= usize::from(line == "completed");
            completed += usize::from(line == "completed");
        }
        child.kill().unwrap();
        completed += lines
            .filter(|line| line.as_ref().is_ok_and(|line| line == "completed"))
            .count();
        child.wait().unwrap();

        let (store, _) = Store::open(StoreConfig::folder(folder.path())).unwrap();
        let component = IndexedDbThread::start(store).unwrap();
        let page = Client::new(component.handle());
        let [in_a, in_g] = ["a", "g"].map(|store| keys(&page, store, None));
        assert_eq!(in_a, in_g, "a transaction is there or it is not");
        assert_eq!(keys(&page, "a", Some("i")), in_a, "and so is the index");
        assert!(
            in_a >= completed,
            "{completed} were completed, {in_a} are there"
        );
        completed = in_a;
    }
}
