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

#[test]
fn a_site_on_workbox_loads_offline_and_what_it_could_not_send_is_sent_later() {
    let site = Site::serve("workbox-offline");
    for name in [
        "workbox-core",
        "workbox-routing",
        "workbox-strategies",
        "workbox-precaching",
        "workbox-background-sync",
    ] {
        serve_library(&site, name);
    }
    let tag = "workbox-background-sync:notes";
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    let mut first = shell(options().argument(&site.url("/")));
    first.wait_for_console("ready");
    first.say("eval save('first')");
    first.wait_for_console("saved first: 201");
    assert_eq!(site.wait_for_request().body, r#"{"note":"first"}"#);
    first.say("offline");
    for note in ["second", "third"] {
        first.say(&format!("eval save('{note}')"));
        first.wait_for_console(&format!("kept {note}: TypeError"));
    }
    first.kill();

    // Offline from the start; the page comes from the cache of its worker.
    let mut offline = shell(options().offline());
    offline.wait_for_sync(tag, "held");
    offline.say(&format!("open {}", site.url("/")));
    offline.wait_for_console("ready");
    offline.say("eval save('fourth')");
    offline.wait_for_console("kept fourth: TypeError");
    offline.say("close");
    assert_eq!(site.requests(), []);
    offline.say("online");
    offline.wait_for_sync(tag, "completed");
    let (status, events) = offline.quit();
    assert!(status.success(), "{events:#?}");
    let bodies: Vec<String> = site.requests().into_iter().map(|note| note.body).collect();
    let notes = ["second", "third", "fourth"].map(|note| format!(r#"{{"note":"{note}"}}"#));
    assert_eq!(bodies, notes, "each once, in order");
}
