//! A real link goes down and up, in a network namespace of the test's own.

use std::env;
use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{ShellOptions, Site};

use crate::shell;

const INSIDE: &str = "BACKGROUND_SYNC_TEST_INSIDE_NAMESPACE";
const ADDRESS: &str = "10.20.0.1";
const GATEWAY: &str = "10.20.0.2";

#[test]
#[expect(clippy::disallowed_methods, reason = "so the test knows where it runs")]
fn a_link_that_comes_up_fires_what_waits_for_it() {
    if env::var_os(INSIDE).is_some() {
        return inside_the_namespace();
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "network::a_link_that_comes_up_fires_what_waits_for_it",
        ])
        .env(INSIDE, "1")
        .output()
        .expect("the command unshare (package util-linux) can be run");
    assert!(
        output.status.success(),
        "in the network namespace (which unshare must be allowed to make): {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn inside_the_namespace() {
    ip("link set lo up");
    ip("link add eth0 type veth peer name peer0");
    ip(&format!("address add {ADDRESS}/24 dev eth0"));
    ip("link set peer0 up");
    bring_link_up();

    let folder = tempdir().unwrap();
    let certificate = folder.path().join("certificate.pem");
    let site = Site::serve("kill");
    let url = serve_over_tls(&site, &certificate);
    let mut shell = shell(
        ShellOptions::profile(&folder.path().join("profile"))
            .argument("--trust-certificate")
            .argument(&certificate.display().to_string())
            .argument(&url),
    );
    shell.wait_for_console("ready");

    ip("link set eth0 down");
    shell.wait_for("the link to be down", |event| {
        matches!(event, ShellEvent::Network { online: false, .. })
    });
    assert_eq!(shell.evaluate("navigator.onLine"), "false");
    shell.say("eval registerTag('link')");
    shell.wait_for_sync("link", "held");
    assert_eq!(site.requests(), []);

    bring_link_up();
    shell.wait_for_sync("link", "dispatched");
    shell.wait_for_sync("link", "completed");
    assert_eq!(site.wait_for_request().body, "link");
    assert_eq!(shell.evaluate("navigator.onLine"), "true");
    let (status, _) = shell.quit();
    assert!(status.success());
}

fn bring_link_up() {
    ip("link set eth0 up");
    // A link that goes down takes its routes with it.
    ip(&format!("route add default via {GATEWAY}"));
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    let status = status.expect("the command ip (package iproute2) can be run");
    assert!(status.success(), "ip {arguments}: {status}");
}

/// Put TLS in front of a site, on the address of the namespace's link. Gives the URL, and writes
/// the certificate to trust.
fn serve_over_tls(site: &Site, certificate_file: &Path) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![ADDRESS.to_owned()]).unwrap();
    fs::write(certificate_file, cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((ADDRESS, 0)).unwrap();
    let url = format!(
        "https://{ADDRESS}:{}/",
        listener.local_addr().unwrap().port()
    );
    let plain = SocketAddr::from(([127, 0, 0, 1], site.port()));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            // A connection that breaks is the client's to notice.
            thread::spawn(move || relay(client, config, plain));
        }
    });
    url
}

/// Pass one request on and its response back; then the connection is closed.
fn relay(client: TcpStream, config: Arc<ServerConfig>, plain: SocketAddr) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut client = StreamOwned::new(connection, client);
    let mut server = TcpStream::connect(plain)?;
    let request = read_request(&mut client)?;
    io::Write::write_all(&mut server, &request)?;
    server.shutdown(Shutdown::Write)?;
    io::copy(&mut server, &mut client)?;
    client.conn.send_close_notify();
    io::Write::flush(&mut client)?;
    client.sock.shutdown(Shutdown::Both)
}

/// One request with its body, made to close the connection after the response.
fn read_request(client: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let length = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    let (first, rest) = text.split_once("\r\n").unwrap_or((&text, ""));
    let kept = rest
        .lines()
        .filter(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with("connection:"));
    let mut request = format!("{first}\r\nConnection: close\r\n");
    for line in kept {
        request.push_str(line);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend(body);
    Ok(request)
}
