//! A site that is there without the network: its service worker keeps what its pages are made of.

use tempfile::tempdir;
use tests::{ShellOptions, Site};

use crate::shell;

#[test]
fn a_page_loads_without_the_network_and_its_notes_are_sent_when_it_is_back() {
    let site = Site::serve("shell-offline");
    let profile = tempdir().unwrap();
    let address = site.url("/");
    let ready = "ready with dark settings; Works offline.";
    let mut first = shell(ShellOptions::profile(profile.path()).argument(&address));
    first.wait_for_console(ready);
    first.say("offline");
    first.say("close");
    first.kill();

    let mut second = shell(ShellOptions::profile(profile.path()).offline());
    second.say(&format!("open {address}"));
    second.wait_for_console(ready);
    assert_eq!(second.evaluate("document.title"), "Notes");
    let elsewhere = second.evaluate("fetch('elsewhere').catch(error => error.name)");
    assert_eq!(elsewhere, "TypeError", "the network is away");
    second.say("eval leave('milk')");
    second.wait_for_sync("milk", "held");
    assert_eq!(site.requests(), []);

    second.say("online");
    second.wait_for_sync("milk", "completed");
    let request = site.wait_for_request();
    assert_eq!(
        (request.path.as_str(), request.body.as_str()),
        ("/notes/milk", "milk")
    );
    let (status, events) = second.quit();
    assert!(status.success(), "{events:#?}");
}
