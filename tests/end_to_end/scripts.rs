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

#[test]
fn a_worker_opens_a_window_only_if_the_user_is_said_to_have_acted() {
    let site = Site::serve("kill");
    site.react(
        "/opener.js",
        Reaction::script(
            "oninstall = () => skipWaiting();
             onactivate = event => event.waitUntil(clients.claim());
             onmessage = () => clients.openWindow('/opened.html').then(
               client => console.log('opened ' + client.url),
               error => console.log('refused: ' + error.name));",
        ),
    );
    site.react(
        "/opens.html",
        Reaction::page(
            "<script>navigator.serviceWorker.oncontrollerchange = () =>
               navigator.serviceWorker.controller.postMessage('open');
             navigator.serviceWorker.register('/opener.js')</script>",
        ),
    );
    site.react("/opened.html", Reaction::page("a window"));
    let url = site.url("/opens.html");
    let mut refused = shell(ShellOptions::default().argument(&url));
    refused.wait_for_console("refused: InvalidAccessError");
    assert!(refused.quit().0.success());
    let options = ShellOptions::default().argument("--user-activation");
    let mut opened = shell(options.argument(&url));
    opened.wait_for_console(&format!("opened {}", site.url("/opened.html")));
    assert!(opened.quit().0.success());
}
