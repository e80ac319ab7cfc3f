//! What a service worker runs when its server has nothing any more.

use tempfile::tempdir;
use tests::{Reaction, ShellOptions, Site};

use crate::shell;

const DELIVER: &str = "onsync = event => event.waitUntil(
    fetch('/delivered', { method: 'POST', body: word() + ' ' + event.tag }));";

/// A page that registers a worker of this type, and then a sync.
fn page(worker_type: &str) -> String {
    format!(
        "<!doctype html><script>
         navigator.serviceWorker.register('worker.js', {{ type: '{worker_type}' }})
           .then(() => navigator.serviceWorker.ready)
           .then(registration => registration.sync.register('{worker_type}'))
           .then(() => console.log('registered'));
         </script>"
    )
}

fn starts_from_stored_scripts(worker_type: &str, scripts: &[(&str, &str)]) {
    let site = Site::serve("kill");
    let profile = tempdir().unwrap();
    let options = || ShellOptions::profile(profile.path());
    site.react("/", Reaction::page(&page(worker_type)));
    for (path, script) in scripts {
        site.react(path, Reaction::script(script));
    }
    let mut killed = shell(options().argument(&site.url("/")));
    killed.wait_for_console("registered");
    killed.wait_for_sync(worker_type, "completed");
    assert_eq!(
        site.wait_for_request().body,
        format!("deep word {worker_type}")
    );
    killed.say("offline");
    killed.say(
        "eval navigator.serviceWorker.ready.then(r => r.sync.register('later')) \
         .then(() => console.log('again'))",
    );
    killed.wait_for_console("again");
    killed.kill();

    for (path, _) in scripts {
        site.react(path, Reaction::Status(404));
    }
    let (status, events) = shell(options().argument("--exit-when-done")).wait_for_exit();
    assert!(status.success(), "{events:#?}");
    let bodies: Vec<String> = site.requests().into_iter().map(|it| it.body).collect();
    assert_eq!(bodies, ["deep word later"]);
}

#[test]
fn a_classic_worker_has_the_scripts_that_it_imported_after_a_restart() {
    starts_from_stored_scripts(
        "classic",
        &[
            ("/worker.js", &format!("importScripts('lib.js'); {DELIVER}")),
            ("/lib.js", "importScripts('lib/deep.js')"),
            ("/lib/deep.js", "self.word = () => 'deep word'"),
        ],
    );
}

#[test]
fn a_module_worker_has_the_modules_that_it_imported_after_a_restart() {
    starts_from_stored_scripts(
        "module",
        &[
            (
                "/worker.js",
                &format!("import word from './lib.js'; {DELIVER}"),
            ),
            ("/lib.js", "export { default } from './lib/deep.js'"),
            ("/lib/deep.js", "export default () => 'deep word'"),
        ],
    );
}
