use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use wpt_server::{Tree, Upstream, UpstreamConfig, UpstreamError, find};

use crate::client::{Answer, agent, folder};

/// Upstream's server on the fetched tests; `None`, with a printed reason, when there is no checkout or no Python.
fn start(overrides: Tree) -> Option<Upstream> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wpt/upstream");
    let config = UpstreamConfig {
        overrides,
        ..UpstreamConfig::new(checkout)
    };
    match Upstream::start(config) {
        Ok(upstream) => Some(upstream),
        Err(error @ (UpstreamError::NoCheckout(_) | UpstreamError::NoPython(_))) => {
            println!("left out: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn python_handlers_run_in_upstreams_server() {
    let own = folder(&[("own.any.js", "// META: title=Own\n")]);
    let overrides = Tree::new()
        .bytes("/resources/testharnessreport.js", "// a hook of ours\n")
        .folder("/own/", own.path());
    let Some(upstream) = start(overrides) else {
        return;
    };
    let addresses = upstream.addresses();
    let agent = agent(upstream.certificates());
    let get = |path: &str| {
        let url = format!("https://127.0.0.1:{}{path}", addresses.https[0]);
        let host = format!("web-platform.test:{}", addresses.https[0]);
        let request = agent.get(url).header("Host", host);
        Answer::of(request.call().unwrap())
    };
    let resources = "/service-workers/service-worker/resources";
    let answer = get(&format!("{resources}/redirect.py?Redirect=/x"));
    assert_eq!(
        (answer.status, answer.header("location").as_str()),
        (302, "/x")
    );
    // The handlers of all ports share what they remember.
    let worker = format!(
        "{resources}/update-worker.py?Key=e1a0c2a6-3d0b-4c3e-9c55-1a2b3c4d5e6f&Mode=normal"
    );
    assert_ne!(get(&worker).body, get(&worker).body);
    let info = get("/common/get-host-info.sub.js").body;
    for port in addresses.http.iter().chain(&addresses.https) {
        assert!(info.contains(&format!("'{port}'")), "{info}");
    }
    let answer = get("/resources/testharnessreport.js");
    assert_eq!(answer.body, "// a hook of ours\n");
    let page = get("/own/own.any.html");
    assert!(page.body.contains("<title>Own</title>"), "{}", page.body);
    assert!(
        get("/resources/testharness.js")
            .body
            .contains("promise_test")
    );
}

#[test]
fn upstreams_tests_are_found() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wpt/upstream");
    if !checkout.is_dir() {
        println!("left out: upstream's tests are not fetched");
        return;
    }
    let tree = Tree::new().folder("/", checkout);
    let tests = find(&tree, &["service-workers/service-worker".to_owned()]).unwrap();
    let test = |url: &str| tests.iter().find(|test| test.url.ends_with(url));
    assert!(test("/register-closed-window.https.html").is_some());
    assert!(test("/skip-waiting.https.html").unwrap().https);
    assert_eq!(test("/resources/test-helpers.sub.js"), None);
    let idl = find(
        &tree,
        &["service-workers/idlharness.https.any.js".to_owned()],
    );
    let urls: Vec<_> = idl.unwrap().into_iter().map(|test| test.url).collect();
    assert_eq!(
        urls,
        [
            "html",
            "serviceworker.html",
            "sharedworker.html",
            "worker.html"
        ]
        .map(|end| format!("/service-workers/idlharness.https.any.{end}"))
    );
}

/// A checkout whose server only says which process it is.
const SERVER: &str = r"
import argparse, http.server, json, os, signal, socketserver, sys, threading, subprocess

def get_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument('--config', dest='config_path')
    parser.add_argument('--no-h2', action='store_false', dest='h2')
    return parser

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(child.pid).encode())
    def log_message(self, *arguments):
        pass

def run(config_path, h2):
    global child
    child = subprocess.Popen(['sleep', '1000'])
    ports = json.load(open(config_path))['ports']
    servers = [http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
               for port in ports['http'] + ports['https']]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()
";

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        println!("left out: there is no python3");
    }
    found
}

#[test]
fn dropping_it_ends_all_its_processes() {
    if !has_python() {
        return;
    }
    let checkout = folder(&[
        ("tools/localpaths.py", ""),
        ("tools/serve/__init__.py", ""),
        ("tools/serve/serve.py", SERVER),
    ]);
    let upstream = Upstream::start(UpstreamConfig::new(checkout.path())).unwrap();
    let port = upstream.addresses().http[1];
    let request = agent(upstream.certificates()).get(format!("http://127.0.0.1:{port}/"));
    let child = Answer::of(request.call().unwrap()).body;
    assert!(is_running(&child));
    drop(upstream);
    // Nothing but this test knows the process, so it is over as soon as the kernel has got round to it.
    while is_running(&child) {
        std::thread::yield_now();
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
}

/// Whether the process with this number does anything yet.
fn is_running(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

#[test]
fn a_server_that_fails_says_why() {
    if !has_python() {
        return;
    }
    let checkout = folder(&[
        ("tools/localpaths.py", ""),
        ("tools/serve/serve.py", "raise Exception('not today')"),
    ]);
    let error = Upstream::start(UpstreamConfig::new(checkout.path())).unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    let empty = folder(&[]);
    let error = Upstream::start(UpstreamConfig::new(empty.path())).unwrap_err();
    assert!(
        error.to_string().contains("wpt/sync fetches them"),
        "{error}"
    );
    let checkout = folder(&[("tools/serve/serve.py", "")]);
    let config = UpstreamConfig {
        python: "no-such-python".into(),
        ..UpstreamConfig::new(checkout.path())
    };
    let error = Upstream::start(config).unwrap_err();
    assert!(
        error.to_string().contains("no command no-such-python"),
        "{error}"
    );
}
