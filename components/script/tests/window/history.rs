//! The session history: back and forward between states, fragments and documents.

use super::*;

/// Collects what the page hears of its history.
const LISTEN: &str = "self.log = [];
    onpopstate = e => log.push('pop ' + JSON.stringify(e.state) + location.hash);
    onhashchange = e => log.push('hash ' + new URL(e.oldURL).hash + ' ' + new URL(e.newURL).hash);
    self.heard = type => new Promise(resolve =>
      addEventListener(type, () => resolve(log.splice(0).join()), { once: true }));
    ''";

fn is_loaded(path: &'static str) -> impl Fn(&ScriptReport) -> bool {
    move |report| matches!(report, ScriptReport::PageLoaded { url } if url.path() == path)
}

#[test]
fn states_and_fragments_come_back() {
    let site = Site::page("<body>");
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    window.text(LISTEN);
    window
        .text("history.pushState({ at: 1 }, '', '?1'); history.pushState({ at: 2 }, '', '?2'); ''");
    assert_eq!(
        window.text("history.back(); const at_once = location.search; heard('popstate').then(log => [at_once, log, location.search, history.state.at, history.length].join())"),
        "?2,pop {\"at\":1},?1,1,3"
    );
    assert_eq!(
        window.text("history.go(-1); heard('popstate').then(log => [log, location.search, history.state].join())"),
        "pop null,,"
    );
    // Nothing is that far away.
    window.text("history.back(); history.go(7); ''");
    assert_eq!(
        window.text("history.forward(); history.forward(); heard('popstate').then(() => heard('popstate')).then(() => location.search)"),
        "?2"
    );
    // What was ahead is forgotten.
    window.text("history.back(); ''");
    assert_eq!(
        window.text("location.hash = 'x'; heard('hashchange').then(log => [log, location.search, history.length].join())"),
        "pop {\"at\":1},pop null#x,hash  #x,?1,3"
    );
    assert_eq!(
        window.text("history.back(); heard('popstate').then(() => location.href.split('/').pop())"),
        "?1"
    );
    window.close();
}

#[test]
fn documents_come_back_with_their_states() {
    let site = Site::new(&[
        ("/a", "text/html", "<body>a"),
        ("/b", "text/html", "<body>b"),
        ("/c", "text/html", "<body>c"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/a"));
    let go = |script: &str, path: &'static str| {
        window.text(script);
        window.wait_for(is_loaded(path));
        window.text("[location.pathname, history.length, JSON.stringify(history.state)].join()")
    };
    window.text("history.replaceState([5], ''); history.scrollRestoration = 'manual'; ''");
    assert_eq!(go("location.href = '/b'; ''", "/b"), "/b,2,null");
    assert_eq!(go("history.back(); ''", "/a"), "/a,2,[5]");
    assert_eq!(window.text("history.scrollRestoration"), "manual");
    assert_eq!(go("history.forward(); ''", "/b"), "/b,2,null");
    assert_eq!(go("history.go(-1); ''", "/a"), "/a,2,[5]");
    assert_eq!(go("location.reload(); ''", "/a"), "/a,2,[5]");
    assert_eq!(go("location.replace('/c'); ''", "/c"), "/c,2,null");
    assert_eq!(go("history.forward(); ''", "/b"), "/b,2,null");
    window.close();
}

#[test]
fn a_window_goes_back_in_its_frames() {
    let site = Site::new(&[
        ("/", "text/html", "<body><iframe src=/a></iframe>"),
        ("/a", "text/html", "<body>a"),
        ("/b", "text/html", "<body>b"),
    ]);
    let browser = Browser::new();
    let window = browser.load(site.url("/"));
    window.text(
        "const frame = document.querySelector('iframe');
         self.loaded = () => new Promise(resolve => frame.onload = () =>
           resolve([frame.contentWindow.location.pathname, history.length].join()));
         ''",
    );
    for (script, expected) in [
        ("frames[0].location.href = '/b'; loaded()", "/b,2"),
        ("history.back(); loaded()", "/a,2"),
        ("frames[0].history.forward(); loaded()", "/b,2"),
    ] {
        assert_eq!(window.text(script), expected, "{script}");
    }
    assert_eq!(
        window.text(
            "const { history: gone } = frames[0]; frame.remove();
             try { gone.back() } catch (error) { error.name + history.length }"
        ),
        "SecurityError1"
    );
    window.close();
}

#[test]
fn what_is_long_past_is_forgotten() {
    let (browser, site) = (
        Browser::new(),
        Site::new(&[
            ("/", "text/html", "<iframe src=/frame></iframe>"),
            ("/frame", "text/html", ""),
        ]),
    );
    let window = browser.load(site.url("/"));
    let script = "
        const inner = frames[0];
        inner.history.replaceState('inner', '');
        for (let i = 1; i <= 120; i++) {
            if (i == 100) inner.history.pushState('later', '');
            else history.pushState(i, '', '?' + i);
        }
        const lengths = [history.length, inner.history.length, history.state, inner.history.state];
        const gone = () => new Promise(resolve => addEventListener('popstate', () => setTimeout(resolve), { once: true }));
        history.go(-49);
        gone().then(() => {
            lengths.push(history.state, location.search, inner.history.state);
            history.back();
            history.go(49);
            return gone();
        }).then(() => [...lengths, history.state, inner.history.state].join())";
    assert_eq!(
        window.text(script),
        "50,50,120,later,71,?71,inner,120,later"
    );
    window.close();
}
