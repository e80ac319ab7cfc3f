//! Pages that have work left when they go.

use tests::{ShellOptions, Site};

use crate::shell;

#[test]
fn a_sync_that_a_page_registers_as_it_goes_fires() {
    let site = Site::serve("kill");
    let mut shell = shell(ShellOptions::default().argument(&site.url("/")));
    shell.wait_for_console("ready");
    let prepare = "navigator.serviceWorker.ready.then(registration => { \
                       addEventListener('pagehide', () => registration.sync.register('hidden')); \
                       document.addEventListener('visibilitychange', () => \
                           registration.sync.register(document.visibilityState + '-2')); \
                       return 'prepared' })";
    assert_eq!(shell.evaluate(prepare), "prepared");
    shell.say("eval location = 'about:blank'");
    shell.wait_for_sync("hidden-2", "completed");
    let mut bodies = [site.wait_for_request().body, site.wait_for_request().body];
    bodies.sort();
    assert_eq!(bodies, ["hidden", "hidden-2"]);
    let (status, events) = shell.quit();
    assert!(status.success(), "{events:#?}");
}
