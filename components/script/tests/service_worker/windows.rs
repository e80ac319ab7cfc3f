//! Windows that service workers open, navigate and focus.

use base::channel::{Callback, unbounded};
use script::{ScriptReport, WindowHandle, WindowOptions, open};

use super::host::{PATIENCE, take};
use super::pages::Site;

/// Does what it is told with the client that tells it, and logs what came of it.
const WORKER: &str = "oninstall = () => skipWaiting();
    onactivate = event => event.waitUntil(clients.claim());
    onmessage = async event => {
      const [what, argument] = event.data;
      let result;
      try {
        const client = what == 'openWindow' ? clients : await clients.get(event.source.id);
        result = await client[what](argument);
        if (result) {
          const url = new URL(result.url);
          result = [url.pathname + url.hash, result.frameType, result.focused].join(' ');
        }
      } catch (error) {
        result = error.name;
      }
      console.log('did ' + what + ': ' + result);
    };";

fn pages(path: &str) -> Option<(u16, &'static str, &'static str)> {
    match path {
        "/mail/other.html" => Some((200, "text/html", "<!doctype html><title>Other</title>")),
        "/mail/framed.html" => Some((
            200,
            "text/html",
            "<!doctype html><iframe src=other.html></iframe>",
        )),
        "/mail/none" => Some((204, "text/html", "")),
        _ => None,
    }
}

fn controlled(site: &Site) {
    let result = site.page(
        "const container = navigator.serviceWorker;
         const controlled = new Promise(done => container.oncontrollerchange = done);
         await container.register('worker.js'); await controlled; return 'controlled'",
    );
    assert_eq!(result, "controlled");
}

/// What the worker logs next about what it was told.
fn outcome(site: &Site) -> String {
    loop {
        if let ScriptReport::Console { message, .. } = take(&site.reports)
            && let Some(text) = message.text.strip_prefix("did ")
        {
            return text.to_owned();
        }
    }
}

/// What comes of it when the page tells the worker to do something.
fn tell(site: &Site, message: &str) -> String {
    // The page may be gone before its answer comes.
    let _ = site.run(&format!(
        "navigator.serviceWorker.controller.postMessage({message})"
    ));
    outcome(site)
}

#[test]
fn a_worker_navigates_a_window_that_it_controls() {
    let site = Site::with(WORKER, pages);
    controlled(&site);
    assert_eq!(
        tell(&site, "['navigate', 'other.html']"),
        "navigate: /mail/other.html top-level true"
    );
    assert_eq!(site.page("return document.title"), "Other");
    // The client is its document, whatever fragment of that is shown.
    assert_eq!(
        tell(&site, "['navigate', 'other.html#part']"),
        "navigate: /mail/other.html top-level true"
    );
    assert_eq!(site.page("return location.hash"), "#part");
}

#[test]
fn a_worker_navigates_a_frame() {
    let site = Site::with(WORKER, pages);
    controlled(&site);
    assert_eq!(
        tell(&site, "['navigate', 'framed.html']"),
        "navigate: /mail/framed.html top-level true"
    );
    let asked = site
        .run("frames[0].navigator.serviceWorker.controller.postMessage(['navigate', './?again'])");
    assert!(asked.is_ok(), "{asked:?}");
    assert_eq!(outcome(&site), "navigate: /mail/ nested false");
    assert_eq!(site.page("return frames[0].location.search"), "?again");
}

#[test]
fn a_window_that_shows_another_origin_then_is_no_client() {
    let site = Site::with(WORKER, pages);
    controlled(&site);
    let elsewhere = site.address.replace("127.0.0.1", "localhost");
    assert_ne!(elsewhere, site.address);
    assert_eq!(
        tell(
            &site,
            &format!("['navigate', '{elsewhere}/mail/other.html']")
        ),
        "navigate: null"
    );
}

#[test]
fn a_navigation_that_fails_rejects() {
    for url in [
        "about:blank",
        "http://",
        "/mail/none",
        "http://localhost:1/",
    ] {
        let site = Site::with(WORKER, pages);
        controlled(&site);
        let outcome = tell(&site, &format!("['navigate', '{url}']"));
        assert_eq!(outcome, "navigate: TypeError", "{url}");
    }
}

#[test]
fn a_window_that_goes_away_meanwhile_rejects() {
    let (asked, was_asked) = unbounded();
    let (_held, hold) = unbounded::<()>();
    let site = Site::with(WORKER, move |path| {
        if path == "/mail/slow" {
            asked.send(()).unwrap();
            // Until the test is over.
            let _ = hold.recv();
        }
        pages(path)
    });
    controlled(&site);
    let slow = "navigator.serviceWorker.controller.postMessage(['navigate', '/mail/slow'])";
    site.run(slow).unwrap();
    take(&was_asked);
    site.run("location = 'other.html'").unwrap();
    assert_eq!(outcome(&site), "navigate: TypeError");
}

#[test]
fn without_an_action_of_the_user_nothing_is_opened_or_focused() {
    let site = Site::with(WORKER, pages);
    controlled(&site);
    for (message, expected) in [
        (
            "['openWindow', 'other.html']",
            "openWindow: InvalidAccessError",
        ),
        ("['focus']", "focus: InvalidAccessError"),
    ] {
        assert_eq!(tell(&site, message), expected);
    }
}

#[test]
fn with_one_they_are() {
    let (sender, wanted) = unbounded();
    let opener = Callback::to_sender(&sender, |options: WindowOptions| options);
    let site = Site::with_windows(WORKER, pages, |windows| {
        windows.with_user_activation(opener)
    });
    controlled(&site);
    let asked =
        site.run("navigator.serviceWorker.controller.postMessage(['openWindow', 'other.html'])");
    assert!(asked.is_ok(), "{asked:?}");
    let options = take(&wanted);
    assert!(options.url().path().ends_with("/mail/other.html"));
    let opened: WindowHandle = open(site.services.clone(), options);
    assert_eq!(
        outcome(&site),
        "openWindow: /mail/other.html top-level true"
    );
    assert_eq!(tell(&site, "['focus']"), "focus: /mail/ top-level true");
    opened.close();
    opened.join(PATIENCE);
}
