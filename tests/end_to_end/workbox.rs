//! The library by which most sites use the API: it keeps requests in IndexedDB and sends them in its
//! own handler of `sync` events. `tests/libraries/install` installs it.

use std::path::Path;

use tempfile::tempdir;
use tests::{Reaction, ShellOptions, Site};

use crate::shell;

/// Serve a script of the library.
fn serve_library(site: &Site, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libraries/node_modules");
    let path = folder.join(format!("{name}/build/{name}.prod.js"));
    let script = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{name}: {error}; run tests/libraries/install"));
    site.react(&format!("/{name}.js"), Reaction::script(&script));
}

#[test]
fn the_queue_of_workbox_is_sent_in_order_after_a_kill() {
    let site = Site::serve("workbox");
    serve_library(&site, "workbox-core");
    serve_library(&site, "workbox-background-sync");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut page = shell(options().argument(&site.url("/")));
    page.wait_for_console("ready");
    page.say("offline");
    for mail in ["one", "two", "three"] {
        page.say(&format!("eval send('{mail}')"));
        page.wait_for_console(&format!("queued {mail}"));
    }
    page.kill();
    assert_eq!(site.requests(), []);

    let (status, events) = shell(options().argument("--exit-when-done")).wait_for_exit();
    assert!(status.success(), "{events:#?}");
    let bodies: Vec<String> = site.requests().into_iter().map(|mail| mail.body).collect();
    assert_eq!(bodies, ["one", "two", "three"], "each once, in order");
}
