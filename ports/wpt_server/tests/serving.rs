use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use wpt_server::{Config, Server, StartError, Tree, hosts};

use crate::client::{Answer, Fixture, folder};

#[test]
fn plain_files_come_with_their_content_types() {
    let folder = folder(&[("a/x.js", "1"), ("a/x.html", "2"), ("a/x y.idl", "3")]);
    let server = Fixture::start(Tree::new().folder("/", folder.path()));
    for (path, body, content_type) in [
        ("/a/x.js", "1", "text/javascript"),
        ("/a/x.html?q", "2", "text/html"),
        ("/a/x%20y.idl", "3", "application/octet-stream"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
        assert_eq!(answer.header("content-type"), content_type, "{path}");
    }
    for path in ["/a", "/a/", "/b.js", "/a/../a/x.js", "/a/%2e%2e/a/x.js"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = raw(&server, &request);
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path}");
    }
}

/// What the server answers to exactly these bytes before it closes the connection.
fn raw(server: &Fixture, request: &str) -> String {
    let port = server.server.addresses().http[0];
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn one_connection_serves_several_requests() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "A").bytes("/b.txt", "B"));
    let answer = raw(
        &server,
        "GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n\
         POST /_wpt/log?key=k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
         HEAD /b.txt HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /_wpt/log?key=k HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(answer.matches("HTTP/1.1 20").count(), 4, "{answer}");
    assert!(answer.contains("\r\n\r\nAHTTP/1.1 204"), "{answer}");
    assert!(
        answer.contains("Content-Length: 1\r\n\r\nHTTP/1.1 200"),
        "{answer}"
    );
    assert!(answer.contains(r#""body":"abc""#), "{answer}");
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "A"));
    assert_eq!(raw(&server, "what is this\r\n\r\n"), "");
    assert_eq!(server.get("/a.txt").body, "A");
}

#[test]
fn files_can_only_be_read() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "A"));
    let answer = server.agent.post(server.url("/a.txt")).send("x").unwrap();
    assert_eq!(Answer::of(answer).status, 405);
}

#[test]
fn a_range_leaves_the_rest_out() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "0123456789"));
    for (range, status, content_range, body) in [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=8-", 206, "bytes 8-9/10", "89"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("bytes=0-1,4-5", 200, "", "0123456789"),
        ("bytes=4-2", 200, "", "0123456789"),
        (
            "bytes=10-",
            416,
            "bytes */10",
            "The range is outside of the file.",
        ),
    ] {
        let request = server
            .agent
            .get(server.url("/a.txt"))
            .header("Range", range);
        let answer = Answer::of(request.call().unwrap());
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), content_range, "{range}");
    }
}

#[test]
fn headers_files_add_headers() {
    let folder = folder(&[
        ("a/x.html", "x"),
        (
            "a/x.html.headers",
            "Content-Type: text/plain\nX-One: 1\r\nX-One: 2\n\n",
        ),
        ("a/__dir__.headers", "Service-Worker-Allowed: /\n"),
        ("a/y.html", "y"),
        (
            "a/y.html.sub.headers",
            "Location: http://{{host}}:{{ports[https][0]}}/\n",
        ),
    ]);
    let server = Fixture::start(Tree::new().folder("/", folder.path()));
    let answer = server.get("/a/x.html");
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.header("x-one"), "1, 2");
    assert_eq!(answer.header("service-worker-allowed"), "/");
    let answer = server.get("/a/y.html");
    let https = server.server.addresses().https[0];
    assert_eq!(
        answer.header("location"),
        format!("http://web-platform.test:{https}/")
    );
    assert_eq!(answer.header("content-type"), "text/html");
}

#[test]
fn files_named_so_are_substituted() {
    let folder = folder(&[
        (
            "a.sub.js",
            "'{{host}} {{ports[http][1]}} {{GET[q]}} {{location[scheme]}}'",
        ),
        ("a.sub.html", "{{GET[q]}}"),
        ("a.js", "{{host}}"),
        ("bad.sub.js", "{{nothing[here]}}"),
    ]);
    let server = Fixture::start(Tree::new().folder("/", folder.path()));
    let second = server.server.addresses().http[1];
    assert_eq!(
        server.get("/a.sub.js?q=%3Cb%3E").body,
        format!("'web-platform.test {second} <b> http'")
    );
    assert_eq!(server.get("/a.sub.html?q=%3Cb%3E").body, "&lt;b&gt;");
    assert_eq!(server.get("/a.js").body, "{{host}}");
    assert_eq!(server.get("/a.js?pipe=sub").body, "web-platform.test");
    let answer = server.get("/bad.sub.js");
    assert_eq!(answer.status, 500);
    assert_eq!(answer.body, "cannot substitute {{nothing[here]}}");
}

#[test]
fn pipes_change_the_response() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "0123456789"));
    let answer = server.get(
        "/a.txt?pipe=status(404)|header(Content-Type,text/html)|header(Set-Cookie,a%3Db\\,c)|slice(null,4)",
    );
    assert_eq!((answer.status, answer.body.as_str()), (404, "0123"));
    assert_eq!(answer.header("content-type"), "text/html");
    assert_eq!(answer.header("set-cookie"), "a=b,c");
    let answer = server.get("/a.txt?pipe=trickle(3:d0.01:r2)");
    assert_eq!((answer.status, answer.body.as_str()), (200, "0123456789"));
    assert_eq!(server.get("/a.txt?pipe=frobnicate(1)").status, 500);
}

#[test]
fn multi_global_tests_are_wrapped() {
    let folder = folder(&[
        (
            "t/a.any.js",
            "// META: global=window,serviceworker\n// META: script=h.js\n",
        ),
        ("t/a.any.js.headers", "X-Test: 1\n"),
        ("t/b.window.js", "// META: title=B\n"),
        ("t/plain.any.html", "plain"),
    ]);
    let server = Fixture::start(Tree::new().folder("/", folder.path()));
    let page = server.get("/t/a.any.html");
    assert_eq!(page.header("content-type"), "text/html");
    assert_eq!(page.header("x-test"), "1");
    assert!(page.body.contains("\"/t/a.any.js\""), "{}", page.body);
    let page = server.get("/t/a.any.serviceworker.html?v");
    assert!(
        page.body.contains("\"/t/a.any.worker.js?v\""),
        "{}",
        page.body
    );
    let script = server.get("/t/a.any.worker.js");
    assert_eq!(script.header("content-type"), "text/javascript");
    assert!(script.body.contains("importScripts(\"h.js\")"));
    assert!(
        server
            .get("/t/b.window.html")
            .body
            .contains("<title>B</title>")
    );
    assert_eq!(server.get("/t/a.any.sharedworker.html").status, 404);
    assert_eq!(server.get("/t/c.any.html").status, 404);
    assert_eq!(server.get("/t/plain.any.html").body, "plain");
}

#[test]
fn python_handlers_are_not_sent_as_text() {
    let folder = folder(&[("a.py", "def main(request, response): pass")]);
    let server = Fixture::start(Tree::new().folder("/", folder.path()));
    let answer = server.get("/a.py");
    assert_eq!(answer.status, 501);
    assert!(!answer.body.contains("def main"));
    assert_eq!(server.get("/b.py").status, 404);
}

#[test]
fn the_old_name_of_the_idl_parser_works() {
    let tree = Tree::new().bytes("/resources/webidl2/lib/webidl2.js", "parser");
    let server = Fixture::start(tree);
    assert_eq!(server.get("/resources/WebIDLParser.js").body, "parser");
}

#[test]
fn the_certificate_is_for_every_host() {
    let server = Fixture::start(Tree::new().bytes("/a.sub.txt", "{{location[server]}}"));
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from(server.server.certificates().authority().to_vec());
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let port = server.server.addresses().https[1];
    for host in hosts::names() {
        let name = ServerName::try_from(host.clone()).unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut stream);
        let request =
            format!("GET /a.sub.txt HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.ends_with(&format!("https://{host}:{port}")),
            "{answer}"
        );
    }
    let answer = server.agent.get(server.secure_url("/a.sub.txt")).call();
    assert_eq!(Answer::of(answer.unwrap()).status, 200);
}

#[test]
fn a_taken_port_is_said_to_be_taken() {
    let server = Fixture::start(Tree::new());
    let taken = server.server.addresses().http[0];
    let config = Config {
        http: vec![taken],
        ..Config::new(Tree::new())
    };
    let error = Server::start(config).unwrap_err();
    assert!(matches!(error, StartError::Port(port, _) if port == taken));
}

#[test]
fn dropping_the_server_ends_connections_that_wait() {
    let server = Fixture::start(Tree::new().bytes("/a.txt", "0123456789"));
    let port = server.server.addresses().http[0];
    let mut idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut held = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut trickled = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    held.write_all(b"GET /_wpt/hold?key=k HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    trickled
        .write_all(b"GET /a.txt?pipe=trickle(1:d100) HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    // Both have reached the server when these have.
    server.get("/_wpt/log?key=k&wait=1");
    let mut first = [0];
    trickled.read_exact(&mut first).unwrap();
    drop(server);
    let mut rest = Vec::new();
    // Whatever comes in, it ends.
    let _ = held.read_to_end(&mut rest);
    let _ = trickled.read_to_end(&mut rest);
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}
