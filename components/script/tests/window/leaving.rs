//! What pages hear when they go, and what their scripts can do then.

use super::*;

/// Tells the console of every event of its end.
const TELLS: &str = "<script>
    for (const type of ['beforeunload', 'pagehide', 'unload', 'pageshow'])
        addEventListener(type, e => console.log(name + type, e.cancelable, e.persisted));
    document.addEventListener('visibilitychange',
        () => console.log(name + document.visibilityState, document.hidden));
    </script>";

fn ends(reports: Vec<ScriptReport>) -> String {
    reports.into_iter().map(line).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_page_that_is_left_hears_of_it_in_order() {
    let framed = format!("{TELLS}<iframe name=inner src=/inner></iframe>");
    let (browser, site) = (
        Browser::new(),
        Site::new(&[
            ("/", "text/html", &framed),
            ("/inner", "text/html", TELLS),
            ("/next", "text/html", ""),
        ]),
    );
    let window = browser.load(site.url("/"));
    window.text("location = '/next'");
    let next = site.url("/next");
    let (before, _) = window
        .wait_for(|report| matches!(report, ScriptReport::PageLoaded { url } if *url == next));
    let own = "pagehide true false; hidden true; unload false undefined";
    let inner = own.replace("; ", "; inner");
    assert_eq!(
        ends(
            before
                .into_iter()
                .filter(|report| matches!(report, ScriptReport::Console { .. }))
                .collect()
        ),
        format!(
            "beforeunload true undefined; innerbeforeunload true undefined; inner{inner}; {own}"
        )
    );
    window.close();
}

#[test]
fn a_window_that_is_closed_hears_of_it() {
    let (browser, site) = (Browser::new(), Site::page(TELLS));
    let window = browser.load(site.url("/"));
    window.handle.close();
    let (before, _) = window.wait_for(|report| matches!(report, ScriptReport::PageClosed { .. }));
    assert_eq!(
        ends(before),
        "beforeunload true undefined; pagehide true false; hidden true; \
         unload false undefined"
    );
    window.handle.join(PATIENCE);
}

#[test]
fn a_page_cannot_go_elsewhere_while_it_is_left() {
    let (browser, site) = (
        Browser::new(),
        Site::new(&[
            (
                "/",
                "text/html",
                "<script>for (const type of ['beforeunload', 'pagehide', 'unload'])
                    addEventListener(type, () => {
                        location = '/trap';
                        location.replace('/trap');
                        open('/trap', '_self');
                        document.body.append(document.createElement('iframe'));
                        console.log(type, frames.length, document.defaultView === window);
                    });</script><body>",
            ),
            ("/next", "text/html", "<title>next</title>"),
            ("/trap", "text/html", "<title>trap</title>"),
        ]),
    );
    let window = browser.load(site.url("/"));
    window.text("location = '/next'");
    let (before, _) = window
        .wait_for(|report| matches!(report, ScriptReport::PageLoaded { url } if url.path() != "/"));
    assert_eq!(window.text("document.title + history.length"), "next2");
    let lines: Vec<String> = before.into_iter().map(line).collect();
    assert_eq!(
        lines[..3],
        ["beforeunload 1 true", "pagehide 0 true", "unload 0 true"]
    );
    assert!(!site.requests().iter().any(|request| request == "GET /trap"));
    window.close();
}

#[test]
fn a_script_that_hears_of_the_end_may_take_everything_away() {
    let (browser, site) = (
        Browser::new(),
        Site::new(&[
            ("/", "text/html", "<body>"),
            (
                "/in",
                "text/html",
                "<iframe src=/leaf></iframe><script>
                addEventListener('pagehide', () => { parent.heard++; frameElement?.remove() });
                addEventListener('unload', () => {
                    parent.heard++; parent.document.body.textContent = '' });</script>",
            ),
            (
                "/leaf",
                "text/html",
                "<script>addEventListener('pagehide', () => {
                    top.heard++; parent.frameElement?.remove(); top.document.body.textContent = '';
                })</script>",
            ),
        ]),
    );
    let window = browser.load(site.url("/"));
    // However it begins, each page hears of its end once.
    let script = "
        const results = [];
        const ways = [
            frame => frame.remove(),
            frame => { document.body.innerHTML = '' },
            frame => { frame.contentWindow.location = '/leaf' },
            frame => { frame.contentWindow.location = 'about:blank' },
            frame => { frame.srcdoc = 'text' },
            frame => frame.contentWindow[0].frameElement.remove(),
        ];
        (async () => {
            for (const way of ways) {
                window.heard = 0;
                document.body.innerHTML = '<iframe src=/in></iframe><iframe src=/in></iframe>';
                const frames = [...document.body.children];
                await Promise.all(frames.map(frame => new Promise(
                    resolve => frame.addEventListener('load', resolve, { once: true }))));
                way(frames[0]);
                while (length) await new Promise(resolve => setTimeout(resolve));
                results.push(heard);
            }
            return results.join();
        })()";
    assert_eq!(window.text(script), "6,6,6,6,6,6");
    window.close();
}

#[test]
fn what_a_page_sends_on_its_way_out_arrives() {
    let (browser, site) = (
        Browser::new(),
        Site::new(&[
            ("/", "text/html", "<body>"),
            ("/beacon", "text/plain", ""),
            ("/next", "text/html", "<body>"),
        ]),
    );
    let window = browser.load(site.url("/"));
    let script = "
        addEventListener('pagehide', () => navigator.sendBeacon('/beacon', new URLSearchParams({ a: '1 2' })));
        document.addEventListener('visibilitychange', () => navigator.sendBeacon('beacon'));
        const thrown = url => { try { return navigator.sendBeacon(url) } catch (e) { return e.name } };
        [thrown('ftp://a.test'), thrown('https://'), navigator.sendBeacon('/beacon', 'x'.repeat(70000)),
         navigator.sendBeacon('/beacon', 'y')].join()";
    assert_eq!(window.text(script), "TypeError,TypeError,false,true");
    window.text("location = '/next'");
    site.wait_for_requests(&["POST /beacon y", "POST /beacon a=1+2", "POST /beacon"]);
    window.close();
}
