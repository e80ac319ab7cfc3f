use std::path::Path;

use wpt_server::{find, harness};

use crate::client::{Fixture, folder};

#[test]
fn the_installed_harness_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wpt/harness");
    let tree = match harness(&folder) {
        Ok(tree) => tree,
        Err(error) => {
            println!("left out: {error}");
            return;
        }
    };
    assert!(find(&tree, &[]).unwrap().is_empty(), "it has no tests");
    let server = Fixture::start(tree);
    for (path, content) in [
        ("/resources/testharness.js", "promise_test"),
        ("/resources/idlharness.js", "IdlArray"),
        ("/resources/WebIDLParser.js", "WebIDL2"),
        (
            "/interfaces/service-workers.idl",
            "interface ServiceWorkerRegistration",
        ),
        ("/interfaces/background-sync.idl", "interface SyncManager"),
        (
            "/interfaces/periodic-background-sync.idl",
            "interface PeriodicSyncManager",
        ),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(content), "{path}");
    }
}

#[test]
fn a_harness_that_is_not_installed_says_what_to_do() {
    let folder = folder(&[("node_modules/wpt-runner/package.json", "{}")]);
    let error = harness(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is not installed"), "{error}");
    assert!(error.ends_with("/install installs it"), "{error}");
}
