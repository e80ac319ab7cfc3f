use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wpt_server::{
    Addresses, Config, Server, Test, TestKind, Timeout, Tree, Upstream, UpstreamConfig,
    UpstreamError, find,
};

use crate::client::{Answer, agent, folder};

/// Where `wpt/sync` puts upstream's tests.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wpt/upstream")
}

/// Upstream's server on the fetched tests; `None`, with a printed reason, when there is no checkout
/// or no Python.
fn start(overrides: Tree) -> Option<Upstream> {
    let config = UpstreamConfig {
        overrides,
        ..UpstreamConfig::new(checkout())
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
    let own = folder(&[
        ("own.any.js", "// META: title=Own\n"),
        ("hook.js", "not this one"),
    ]);
    let overrides = Tree::new()
        .bytes("/resources/testharnessreport.js", "// a hook of ours\n")
        .bytes("/own/hook.js", "the first counts")
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
    assert_eq!(get("/own/hook.js").body, "the first counts");
    let page = get("/own/own.any.html");
    assert!(page.body.contains("<title>Own</title>"), "{}", page.body);
    assert!(
        get("/resources/testharness.js")
            .body
            .contains("promise_test")
    );
}

const FOLDERS: [&str; 4] = [
    "BackgroundSync",
    "periodic-background-sync",
    "permissions",
    "service-workers",
];

#[test]
fn tests_are_found_as_upstreams_manifest_has_them() {
    let checkout = checkout();
    if !checkout.is_dir() {
        println!("left out: upstream's tests are not fetched");
        return;
    }
    let manifest = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest.py"))
        .args(FOLDERS)
        .current_dir(&checkout)
        .output();
    let Ok(manifest) = manifest else {
        println!("left out: there is no python3");
        return;
    };
    let problem = String::from_utf8_lossy(&manifest.stderr);
    if problem.contains("six.moves") {
        println!("left out: this Python is too new for the checkout");
        return;
    }
    let manifest = String::from_utf8_lossy(&manifest.stdout);
    let mut expected: Vec<_> = manifest.lines().map(ToOwned::to_owned).collect();
    expected.sort_unstable();
    assert!(expected.len() > 200, "{problem}");
    let tree = Tree::new().folder("/", checkout);
    let found = find(&tree, &FOLDERS.map(ToOwned::to_owned)).unwrap();
    let mut found: Vec<_> = found.iter().map(describe).collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

fn describe(test: &Test) -> String {
    let kind = match test.kind {
        TestKind::Testharness => "testharness",
        TestKind::Crashtest => "crashtest",
    };
    let timeout = match test.timeout {
        Timeout::Normal => "normal",
        Timeout::Long => "long",
    };
    let scheme = if test.https { "https" } else { "http" };
    format!("{} {kind} {timeout} {scheme}", test.url)
}

#[test]
fn files_come_as_from_upstreams_server() {
    let Some(upstream) = start(Tree::new()) else {
        return;
    };
    let own = Server::start(Config {
        certificates: Some(upstream.certificates().clone()),
        ..Config::new(Tree::new().folder("/", checkout()))
    });
    let own = own.unwrap();
    let agent = agent(upstream.certificates());
    let get = |addresses: &Addresses, path: &str| {
        let port = addresses.https[0];
        let request = agent.get(format!("https://127.0.0.1:{port}{path}"));
        let request = request.header("Host", format!("web-platform.test:{port}"));
        let answer = Answer::of(request.call().unwrap());
        if answer.status >= 400 {
            // Each says in its own words what is wrong.
            return (answer.status, Default::default(), String::new());
        }
        let mut body = answer.body.clone();
        for (index, port) in addresses.http.iter().chain(&addresses.https).enumerate() {
            body = body.replace(&port.to_string(), &format!("PORT{index}"));
        }
        // Only upstream's server has ports for WebSockets.
        if let Some((before, port)) = body.split_once("wss://web-platform.test:") {
            let after = port.trim_start_matches(|digit: char| digit.is_ascii_digit());
            body = format!("{before}wss{after}");
        }
        let headers = ["content-type", "service-worker-allowed", "cache-control"];
        (answer.status, headers.map(|name| answer.header(name)), body)
    };
    for path in paths_to_compare() {
        assert_eq!(
            get(own.addresses(), &path),
            get(upstream.addresses(), &path),
            "{path}"
        );
    }
}

/// Files whose names or companions make a difference, ranges and pipes apart.
fn paths_to_compare() -> Vec<String> {
    let checkout = checkout();
    let mut paths: Vec<String> = [
        "/service-workers/service-worker/resources/empty.js?pipe=header(Cache-Control,max-age%3D60)",
        "/service-workers/service-worker/resources/empty.js?pipe=header(a,b)|status(202)|slice(0,3)",
        "/common/get-host-info.sub.js?pipe=sub",
        "/common/nothing-here.js",
        "/service-workers/idlharness.https.any.nonsense.html",
    ]
    .map(ToOwned::to_owned)
    .into();
    for folder in [
        "common",
        "service-workers/service-worker/resources",
        "permissions",
    ] {
        for entry in fs::read_dir(checkout.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let plain = name.ends_with(".sub.js")
                || name.ends_with(".sub.html")
                || checkout
                    .join(folder)
                    .join(format!("{name}.headers"))
                    .is_file();
            if plain {
                paths.push(format!("/{folder}/{name}?q=%3Ca%3E&GET=1"));
            }
        }
    }
    paths
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
    // Nothing but this test knows the process, so it is over as soon as the kernel has got round to
    // it.
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
fn the_server_ends_with_the_process_that_started_it() {
    if !has_python() {
        return;
    }
    // Says that it is there, and stays.
    let server = "import sys, time
def get_parser():
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument('--config')
    parser.add_argument('--no-h2', action='store_true')
    return parser
def run(**arguments):
    print('here', flush=True)
    time.sleep(1000)
";
    let checkout = folder(&[
        ("tools/localpaths.py", ""),
        ("tools/serve/__init__.py", ""),
        ("tools/serve/serve.py", server),
    ]);
    let mut process = Command::new("python3")
        .args(["-c", include_str!("../launcher.py"), "config.json"])
        .current_dir(checkout.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = process.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    assert_eq!(line, "here\n");
    // What the kernel does to the pipe when a process dies.
    drop(process.stdin.take());
    assert_eq!(process.wait().unwrap().signal(), Some(9));
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
