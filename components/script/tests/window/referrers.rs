//! What servers and documents learn of where a request comes from.

use super::*;

/// An answer with headers of its own.
fn answer(type_: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("Content-Type: {type_}\r\nContent-Length: {length}\r\n{headers}");
    format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{body}").into_bytes()
}

fn site(answers: &[(&str, Vec<u8>)]) -> Site {
    let answers = answers.iter();
    Site::raw(
        answers
            .map(|(path, answer)| ((*path).to_owned(), answer.clone()))
            .collect(),
    )
}

#[test]
fn documents_and_servers_learn_the_same_referrer() {
    let who = "<script>top.postMessage(document.referrer, '*')</script>";
    let site = self::site(&[
        ("/page", answer("text/html", "", "<body>")),
        ("/who", answer("text/html", "", who)),
    ]);
    let away = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        site.url("/who")
    );
    let detour = self::site(&[("/away", away.into_bytes())]);
    let browser = Browser::new();
    let window = browser.load(site.url("/page?x"));
    let shown = |attributes: &str| {
        window.text(&format!(
            "new Promise(resolve => {{
               onmessage = e => resolve(e.data);
               document.body.innerHTML = `<iframe {attributes}></iframe>`;
             }})"
        ))
    };
    let page = site.url("/page?x").to_string();
    let origin = site.url("/").to_string();
    let detour = format!("src='{}'", detour.url("/away"));
    for (attributes, told) in [
        ("src=/who", &*page),
        ("src=/who referrerpolicy=Origin", &origin),
        ("src=/who referrerpolicy=no-referrer", ""),
        ("src=/who referrerpolicy=unknown", &page),
        // On the way back nothing is told that was not on the way there.
        (&detour, &origin),
        ("srcdoc='<iframe src=/who></iframe>'", &page),
        (
            "srcdoc='<iframe src=/who></iframe>' sandbox=allow-scripts",
            "",
        ),
        ("src=/who sandbox=allow-scripts", &page),
    ] {
        assert_eq!(shown(attributes), told, "{attributes}");
    }
    window.text("history.pushState(0, '', '/page?y')");
    assert_eq!(shown("src=/who"), site.url("/page?y").to_string());
    window.text("fetch('/who').then(() => '')");
    assert_eq!(
        site.last_header("/who", "referer"),
        site.url("/page?y").to_string()
    );
    window.close();
}

#[test]
fn a_reload_asks_as_the_one_before() {
    let page = "<a href=/two></a><script>console.log(document.referrer)</script>";
    let site = self::site(&[
        ("/", answer("text/html", "", page)),
        ("/two", answer("text/html", "", page)),
    ]);
    let mut named = site.url("/");
    named.set_host(Some("localhost")).unwrap();
    let browser = Browser::new();
    let window = browser.load(named.clone());
    let loaded = || {
        window.wait_for(
            |report| matches!(report, ScriptReport::PageLoaded { url } if *url == site.url("/two")),
        )
    };
    let told = || {
        let names = ["referer", "sec-fetch-site"];
        names.map(|name| site.last_header("/two", name)).join(" ")
    };
    window.text(&format!("location = '{}'", site.url("/two")));
    loaded();
    assert_eq!(window.text("document.referrer"), named.to_string());
    let first = told();
    assert_eq!(first, format!("{named} cross-site"));
    window.text("location.reload()");
    loaded();
    assert_eq!(window.text("document.referrer"), named.to_string());
    assert_eq!(told(), first);
    assert_eq!(site.requests().len(), 3);
    window.close();
}

#[test]
fn the_scripts_of_a_module_worker_keep_to_what_their_servers_say() {
    const JS: &str = "text/javascript";
    for (headers, imported, fetched) in [
        ("", "", "/worker.js"),
        ("Referrer-Policy: no-referrer\r\n", "none", "none"),
        ("Referrer-Policy: origin\r\n", "/", "/"),
    ] {
        let site = self::site(&[
            (
                "/page",
                answer(
                    "text/html",
                    "Referrer-Policy: unsafe-url\r\n",
                    "<script>const start = worker => new Promise(resolve =>
                       (worker.port ?? worker).onmessage = e => resolve(e.data))</script>",
                ),
            ),
            (
                "/worker.js",
                answer(
                    JS,
                    headers,
                    "import './one.js'; import later from './origin.js';
                     const done = port => Promise.all([later, fetch('/api')])
                       .then(() => port.postMessage('done'));
                     if (self.postMessage) done(self); else onconnect = e => done(e.ports[0]);",
                ),
            ),
            ("/one.js", answer(JS, "", "import './two.js'")),
            ("/two.js", answer(JS, "", "")),
            (
                "/origin.js",
                answer(
                    JS,
                    "Referrer-Policy: origin\r\n",
                    "import './three.js'; export default import('./four.js')",
                ),
            ),
            ("/three.js", answer(JS, "", "")),
            ("/four.js", answer(JS, "", "")),
            ("/api", answer("text/plain", "", "")),
        ]);
        let url = |path: &str| match path {
            "none" => String::new(),
            path => site.url(path).to_string(),
        };
        let browser = Browser::new();
        let window = browser.load(site.url("/page?x"));
        for kind in ["Worker", "SharedWorker"] {
            let start = format!("start(new {kind}('worker.js', {{ type: 'module' }}))");
            assert_eq!(window.text(&start), "done");
            let own = |path| if imported.is_empty() { path } else { imported };
            for (path, told) in [
                ("/worker.js", "/page?x"),
                ("/one.js", own("/worker.js")),
                ("/two.js", own("/one.js")),
                ("/origin.js", own("/worker.js")),
                ("/three.js", "/"),
                ("/four.js", "/"),
                ("/api", fetched),
            ] {
                let referrer = site.last_header(path, "referer");
                assert_eq!(referrer, url(told), "{kind} {headers} {path}");
            }
        }
        window.close();
    }
}
