//! What pages and workers learn of the network.

use std::collections::BTreeSet;

use base::channel::Receiver;
use network_traits::{NetworkMonitorHandle, NetworkMonitorMessage};

use super::*;

#[test]
fn who_begins_to_listen_hears_of_changes_from_then_on() {
    let site = Site::page("<body></body>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    browser.network.set_link(LinkState::None);
    // When the page finds itself offline, that is no news any more.
    while window.text("navigator.onLine") != "false" {}
    window.text("self.onoffline = self.ononline = (e) => console.log(e.type)");
    browser.network.set_link(LinkState::Routable);
    let (_, report) = window.wait_for(|report| matches!(report, ScriptReport::Console { .. }));
    assert_eq!(line(report), "online");
    window.close();
}

/// Tells its name with each event, and with what `navigator.onLine` then says.
const LISTENS: &str = "
  const tell = event => console.log(self.name || 'worker', event.type, navigator.onLine);
  ononline = tell; addEventListener('offline', tell);
  console.log('listening');";

/// A page with a frame and two workers, of whom each listens.
fn site() -> Site {
    let page = |name: &str| format!("<script>self.name = '{name}'; {LISTENS}</script>");
    let begin = "<script>
       const dedicated = new Worker('worker.js', { name: 'dedicated' });
       const shared = new SharedWorker('worker.js', 'shared');
     </script><iframe src='frame.html'></iframe>";
    Site::new(&[
        (
            "/",
            "text/html",
            &format!("<body>{}{begin}</body>", page("window")),
        ),
        ("/frame.html", "text/html", &page("frame")),
        ("/worker.js", "text/javascript", LISTENS),
        ("/silent", "text/html", "<script>navigator.onLine</script>"),
    ])
}

fn wait_for_listeners(window: &Window<'_>) {
    for _ in 0..4 {
        window.wait_for(|report| line(report.clone()) == "listening");
    }
}

#[test]
fn windows_frames_and_workers_follow_the_network() {
    let site = site();
    let browser = Browser::new();
    let window = browser.open(site.url("/"));
    wait_for_listeners(&window);
    for (link, event, online) in [
        (LinkState::NoRoute, "offline", false),
        (LinkState::Routable, "online", true),
    ] {
        browser.network.set_link(link);
        let told: BTreeSet<_> = (0..4)
            .map(|_| {
                line(
                    window
                        .wait_for(|report| matches!(report, ScriptReport::Console { .. }))
                        .1,
                )
            })
            .collect();
        let expected = ["window", "frame", "dedicated", "shared"]
            .map(|name| format!("{name} {event} {online}"));
        assert_eq!(told, BTreeSet::from(expected));
    }
    window.close();
}

/// Makes the test the network monitor of the pages to come.
fn become_monitor(browser: &mut Browser) -> Receiver<NetworkMonitorMessage> {
    let (sender, messages) = unbounded();
    browser.services.network = NetworkMonitorHandle::new(sender, Arc::default());
    messages
}

fn next_message(messages: &Receiver<NetworkMonitorMessage>) -> NetworkMonitorMessage {
    match messages.recv_timeout(Some(PATIENCE)) {
        Received::Message(message) => message,
        other => panic!("no message came: {other:?}"),
    }
}

#[test]
fn the_monitor_knows_who_listens_for_as_long_as_it_is_there() {
    let site = site();
    let mut browser = Browser::new();
    let messages = become_monitor(&mut browser);
    let silent = browser.load(site.url("/silent"));
    assert!(messages.try_recv().is_none(), "it does not listen");
    silent.close();

    let window = browser.open(site.url("/"));
    wait_for_listeners(&window);
    for _ in 0..4 {
        let message = next_message(&messages);
        assert!(matches!(message, NetworkMonitorMessage::Subscribe { .. }));
    }
    assert!(messages.try_recv().is_none(), "once each");
    let expect_end = || {
        let message = next_message(&messages);
        assert!(matches!(message, NetworkMonitorMessage::Unsubscribe { .. }));
    };
    window.text("document.querySelector('iframe').remove()");
    expect_end();
    window.text("dedicated.terminate()");
    expect_end();
    window.close();
    expect_end();
    expect_end();
    assert!(messages.try_recv().is_none(), "nobody is left");
}
