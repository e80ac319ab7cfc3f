//! `syncshell wpt` with tests that behave badly, and with folders that are not as they should be.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A folder like `wpt/`, with tests of its own.
struct Suite {
    folder: TempDir,
}

impl Suite {
    /// With scripts of tests that run in windows.
    fn new(tests: &[(&str, &str)]) -> Self {
        let suite = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let harness = Path::new(REPOSITORY).join("wpt/harness");
        symlink(harness, suite.path("harness")).unwrap();
        fs::create_dir(suite.path("temporary")).unwrap();
        for (name, script) in tests {
            suite.write(&format!("tests/own/{name}.https.window.js"), script);
        }
        suite
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The run's output. Nothing of it is left when it has ended.
    fn run(&self, arguments: &[&str]) -> Output {
        let temporary = self.path("temporary");
        let output = Command::new(env!("CARGO_BIN_EXE_syncshell"))
            .args(["wpt", "--root"])
            .arg(self.folder.path())
            .args(arguments)
            .env("TMPDIR", &temporary)
            .output()
            .unwrap();
        let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
        assert!(left.is_empty(), "the run left {left:?}");
        output
    }

    /// Each test's report, by the name of the test.
    fn report(&self) -> BTreeMap<String, Value> {
        let text = fs::read_to_string(self.path("report.json")).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        let results = report["results"].as_array().unwrap();
        let name = |result: &Value| {
            let path = result["test"].as_str().unwrap();
            let name = path.trim_start_matches("/own/").split('.').next();
            name.unwrap().to_owned()
        };
        results
            .iter()
            .map(|it| (name(it), it["status"].clone()))
            .collect()
    }
}

fn told(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text)).concat()
}

const GOOD: &str = "// META: timeout=long
test(() => {}, 'is good');";

#[test]
fn tests_that_behave_badly_have_results_and_stop_no_other_test() {
    let suite = Suite::new(&[
        // The order is that of the names: the good one is the last.
        ("a-loop", "test(() => { for (;;); }, 'never ends');"),
        (
            "b-print",
            "async_test(() => {
                const print = () => {
                    for (let line = 0; line < 100; line++) console.log('x'.repeat(1000));
                    setTimeout(print, 0);
                };
                print();
            }, 'prints');",
        ),
        (
            "c-heap",
            "test(() => {
                for (const kept = [];;) kept.push(new Array(1e5).fill(0));
            }, 'takes the memory of scripts');",
        ),
        (
            "d-workers",
            "async_test(() => {
                for (let count = 0; count < 5000; count++) new Worker('data:text/javascript,');
            }, 'starts workers until there is no memory');",
        ),
        (
            "e-windows",
            "test(() => {
                for (;;) window.open('about:blank');
            }, 'opens windows');",
        ),
        ("f-good", GOOD),
    ]);
    let report = suite.path("report.json");
    let output = suite.run(&[
        "--timeout-multiplier=0.3",
        "--jobs=2",
        "--report",
        report.to_str().unwrap(),
    ]);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("files:    6"), "{told}");
    let statuses = suite.report();
    assert_eq!(statuses["f-good"], "OK", "{told}");
    assert_eq!(statuses["a-loop"], "TIMEOUT", "{told}");
    assert_eq!(statuses["b-print"], "TIMEOUT", "{told}");
    assert_eq!(statuses["d-workers"], "CRASH", "{told}");
}

#[test]
fn what_is_expected_of_a_bad_test_can_be_written_down() {
    let suite = Suite::new(&[
        ("bad", "test(() => assert_true(false, 'why'), 'is bad');"),
        ("good", GOOD),
    ]);
    let first = suite.run(&[]);
    assert_eq!(first.status.code(), Some(1));
    let told_first = told(&first);
    assert!(
        told_first.contains("FAIL (expected PASS)  is bad"),
        "{told_first}"
    );
    assert!(told_first.contains("why"), "{told_first}");
    let update = suite.run(&["--update-expectations"]);
    assert!(update.status.success(), "{}", told(&update));
    assert_eq!(
        fs::read_to_string(suite.path("meta/own/bad.https.window.js.ini")).unwrap(),
        "[bad.https.window.html]\n  [is bad]\n    expected: FAIL\n"
    );
    assert!(!suite.path("meta/own/good.https.window.js.ini").exists());
    let second = suite.run(&[]);
    assert!(second.status.success(), "{}", told(&second));
    assert!(told(&second).contains("all as expected"));
}

#[test]
fn a_path_names_tests_that_there_are() {
    let suite = Suite::new(&[("folder/a", GOOD), ("folder/b", GOOD), ("c", GOOD)]);
    let output = suite.run(&["own/folder"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(
        told(&output).contains("subtests: 2 PASS"),
        "{}",
        told(&output)
    );
    let listed = suite.run(&["--list", "/own/folder/b.https.window.html"]);
    assert_eq!(
        String::from_utf8_lossy(&listed.stdout),
        "/own/folder/b.https.window.html\n"
    );
    let output = suite.run(&["own/folder", "nowhere.html"]);
    assert!(!output.status.success());
    assert!(told(&output).contains("nowhere.html"), "{}", told(&output));
    let output = {
        let empty = Suite::new(&[("a", GOOD)]);
        fs::remove_dir_all(empty.path("tests/own")).unwrap();
        empty.run(&[])
    };
    assert!(!output.status.success());
    assert!(told(&output).contains("no test"), "{}", told(&output));
}

#[test]
fn an_expectation_that_cannot_be_read_is_named_and_nothing_runs() {
    let suite = Suite::new(&[("a", GOOD)]);
    for (text, reason) in [
        (
            "[a.https.window.html]\n  expected: GOOD\n",
            "\"GOOD\" is not a status",
        ),
        ("[a.https.window.html\n", "line 1"),
    ] {
        suite.write("meta/own/a.https.window.js.ini", text);
        let output = suite.run(&[]);
        assert!(!output.status.success());
        let told = told(&output);
        assert!(told.contains("a.https.window.js.ini"), "{told}");
        assert!(told.contains(reason), "{told}");
        assert!(!told.contains("subtests:"), "{told}");
    }
}

#[test]
fn what_is_not_installed_is_named_with_what_installs_it() {
    let suite = Suite::new(&[("a", GOOD)]);
    for (arguments, missing) in [
        (["--upstream"].as_slice(), "lists"),
        (&["--upstream", "a.html"], "wpt/sync"),
    ] {
        let output = suite.run(arguments);
        assert!(!output.status.success());
        assert!(told(&output).contains(missing), "{}", told(&output));
    }
    fs::remove_file(suite.path("harness")).unwrap();
    let output = suite.run(&[]);
    assert!(!output.status.success());
    assert!(told(&output).contains("harness"), "{}", told(&output));
    fs::create_dir(suite.path("harness")).unwrap();
    let output = suite.run(&[]);
    assert!(!output.status.success());
    assert!(
        told(&output).contains("harness/install"),
        "{}",
        told(&output)
    );
}

#[test]
fn a_browser_that_is_not_there_is_named() {
    let suite = Suite::new(&[("a", GOOD)]);
    let output = suite.run(&["--browser=chromium", "--binary=/nowhere/chromium"]);
    assert!(!output.status.success());
    let told = told(&output);
    assert!(
        told.contains("/nowhere/chromium is not a Chromium that runs here"),
        "{told}"
    );
}

#[test]
fn chromium_does_what_tests_ask_and_gives_each_subtest_its_turn() {
    const SCRIPTS: &str = "// META: script=/resources/testdriver.js
// META: script=/resources/testdriver-vendor.js
const offline = {networkConditions: {type: 'offline'}};
";
    let driven = format!(
        "{SCRIPTS}
        promise_test(async () => {{
            await test_driver.set_permission({{name: 'background-sync'}}, 'denied');
            const status = await navigator.permissions.query({{name: 'background-sync'}});
            assert_equals(status.state, 'denied');
        }}, 'a permission can be denied');
        promise_test(() => new Promise(() => {{}}), 'hangs');
        promise_test(async t => {{
            await test_driver.bidi.emulation.set_network_conditions(offline);
            assert_false(navigator.onLine);
            await promise_rejects_js(t, TypeError, fetch('?'));
            await test_driver.bidi.emulation.set_network_conditions({{networkConditions: null}});
            assert_true(navigator.onLine);
            assert_equals((await fetch('?')).status, 200);
        }}, 'the network can be cut');"
    );
    let restarted = format!(
        "{SCRIPTS}
        promise_test(async () => {{
            if (location.search) return;
            await test_driver.restart('?again');
            await new Promise(() => {{}});
        }}, 'goes on after a restart');"
    );
    let suite = Suite::new(&[("driven", &driven), ("restarted", &restarted)]);
    let output = suite.run(&["--browser=chromium", "--verbose"]);
    let told = told(&output);
    if told.contains("no Chromium is installed") {
        let name = "chromium_does_what_tests_ask_and_gives_each_subtest_its_turn";
        writeln!(io::stderr(), "SKIPPED {name}: {told}").unwrap();
        return;
    }
    assert!(told.contains("subtests: 4: 3 PASS, 1 TIMEOUT"), "{told}");
    assert!(told.contains("OK           1/1"), "{told}");
}
