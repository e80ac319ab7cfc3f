//! What goes wrong has an error that a web developer understands, a failing exit status, and leaves
//! the profile as it was.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{Reaction, Shell, ShellOptions, Site};

use crate::shell;

/// Every text of the failures that the shell told.
fn failures(events: &[ShellEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ShellEvent::PageFailed { error, .. } => Some(error.as_str()),
        ShellEvent::ScriptError { text, .. } | ShellEvent::Error { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn fails_with(shell: Shell, expected: &[&str]) {
    let (status, events) = shell.wait_for_exit();
    assert!(!status.success(), "{events:#?}");
    let failures = failures(&events);
    for text in expected {
        assert!(
            failures.contains(text),
            "\"{text}\" is missing in: {events:#?}"
        );
    }
}

#[test]
fn a_page_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://localhost:{port}/");
    fails_with(shell(ShellOptions::default().argument(&url)), &["refused"]);
}

#[test]
fn a_page_that_the_server_does_not_have() {
    let site = Site::serve("kill");
    let mut shell = shell(ShellOptions::default().argument(&site.url("/missing.html")));
    shell.wait_for("the page", |event| {
        matches!(event, ShellEvent::PageLoaded { .. })
    });
    let (status, events) = shell.quit();
    assert!(!status.success());
    assert!(failures(&events).contains("404"), "{events:#?}");
}

#[test]
fn a_page_that_floods_the_console_does_not_keep_the_shell_from_ending() {
    let site = Site::serve("kill");
    site.react(
        "/",
        Reaction::page("<script>for (;;) console.log('again');</script>"),
    );
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for(
        "a dropped message",
        |event| matches!(event, ShellEvent::Console { text, .. } if text.contains("came too fast")),
    );
    shell.quit();
}

#[test]
fn a_text_that_is_no_url() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
        .args(["open", "localhost"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("\"localhost\"") || error.contains("'localhost'"),
        "{error}"
    );
    assert!(error.contains("http"), "{error}");
}

#[test]
fn a_server_that_closes_half_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "http://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = BufReader::new(&stream).lines();
        assert!(
            head.map_while(Result::ok).any(|line| line.is_empty()),
            "a whole request"
        );
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n\
                  <!DOCTYPE html>",
            )
            .unwrap();
    });
    fails_with(
        shell(ShellOptions::default().argument(&url)),
        &["closed the connection half way"],
    );
    server.join().unwrap();
}

#[test]
fn a_worker_script_with_a_syntax_error() {
    let site = Site::serve("kill");
    site.react(
        "/worker.js",
        Reaction::script("self.addEventListener('sync', (event => {});"),
    );
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for("the error", |event| {
        matches!(event, ShellEvent::ScriptError { text, .. }
            if text.contains("SyntaxError") && text.contains("worker.js"))
    });
    let (status, _) = shell.quit();
    assert!(!status.success());
}

#[test]
fn a_worker_script_that_is_not_javascript() {
    let site = Site::serve("kill");
    site.react("/worker.js", Reaction::page("<p>Not found</p>"));
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for("the error", |event| {
        matches!(event, ShellEvent::ScriptError { text, .. }
            if text.contains("SecurityError") && text.contains("text/html"))
    });
    let (status, _) = shell.quit();
    assert!(!status.success());
}

#[test]
fn a_worker_script_that_never_ends_is_stopped_and_the_engine_lives_on() {
    let site = Site::serve("kill");
    site.react("/worker.js", Reaction::script("for (;;) {}"));
    let mut shell = shell(
        ShellOptions::default()
            .argument("--script-time-limit=1")
            .argument(&site.url("/")),
    );
    shell.wait_for("the worker to be stopped", |event| {
        matches!(event, ShellEvent::ScriptError { text, .. } if text.contains("time limit"))
    });
    assert_eq!(shell.evaluate("6 * 7"), "42");
    let (status, _) = shell.quit();
    assert!(!status.success());
}

#[test]
fn a_page_script_that_never_ends_is_stopped_and_the_page_lives_on() {
    let site = Site::serve("kill");
    site.react(
        "/",
        Reaction::page("<!DOCTYPE html><script>let turns = 0; for (;;) turns++</script>"),
    );
    let mut shell = shell(
        ShellOptions::default()
            .argument("--script-time-limit=1")
            .argument(&site.url("/")),
    );
    shell.wait_for("the script to be stopped", |event| {
        matches!(event, ShellEvent::ScriptError { text, .. } if text.contains("time limit"))
    });
    assert_eq!(shell.evaluate("turns > 0"), "true");
    let (status, _) = shell.quit();
    assert!(!status.success());
}

#[test]
fn a_sync_handler_that_never_ends_is_stopped() {
    let site = Site::serve("mdn-listen");
    site.react(
        "/worker.js",
        Reaction::script("self.addEventListener('sync', () => { for (;;) {} });"),
    );
    let mut shell = shell(
        ShellOptions::default()
            .argument("--script-time-limit=1")
            .argument(&site.url("/")),
    );
    shell.wait_for_console("ready");
    shell.say("eval registerTag('endless')");
    let finished = shell.wait_for_sync("endless", "finished");
    assert!(
        format!("{finished:?}").contains("time limit"),
        "{finished:?}"
    );
    shell.wait_for_sync("endless", "retry-scheduled");
    assert_eq!(shell.evaluate("6 * 7"), "42");
    shell.quit();
}

#[test]
fn an_insecure_page_has_no_service_workers() {
    let site = Site::serve("kill");
    // An origin that is not this machine as far as a browser can know.
    let url = site.url("/").replace("localhost", "0.0.0.0");
    let mut shell = shell(ShellOptions::default().argument(&url));
    shell.wait_for("the page's error", |event| {
        matches!(event, ShellEvent::ScriptError { .. })
    });
    assert_eq!(shell.evaluate("'serviceWorker' in navigator"), "false");
    assert_eq!(shell.evaluate("typeof SyncManager"), "undefined");
    assert_eq!(shell.evaluate("isSecureContext"), "false");
    shell.quit();
}

#[test]
fn a_profile_that_is_a_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("profile");
    fs::write(&file, "a letter").unwrap();
    fails_with(shell(ShellOptions::profile(&file)), &["is not a folder"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a letter");
}

#[test]
fn a_profile_that_cannot_be_written() {
    fails_with(
        shell(ShellOptions::profile("/proc/self/profile".as_ref())),
        &["/proc/self/profile"],
    );
}

#[test]
fn a_profile_of_something_else() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "a letter").unwrap();
    fails_with(
        shell(ShellOptions::profile(folder.path())),
        &["holds no profile"],
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_profile_that_is_in_use() {
    let folder = tempdir().unwrap();
    let mut first = shell(ShellOptions::profile(folder.path()));
    first.wait_for("the start", |event| {
        matches!(event, ShellEvent::EngineStarted { .. })
    });
    fails_with(shell(ShellOptions::profile(folder.path())), &["in use"]);
    let (status, _) = first.quit();
    assert!(status.success(), "the first one is not disturbed");
}

#[test]
fn a_command_that_is_none() {
    let mut shell = shell(ShellOptions::default());
    shell.say("explode");
    shell.wait_for(
        "the error",
        |event| matches!(event, ShellEvent::Error { text } if text.contains("the commands are")),
    );
    shell.quit();
}

#[test]
fn what_is_said_before_quit_takes_effect() {
    let mut shell = shell(ShellOptions::default());
    shell.say("explode");
    let (status, events) = shell.quit();
    assert!(!status.success());
    assert!(failures(&events).contains("explode"), "{events:#?}");
}
