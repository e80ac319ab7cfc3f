//! TLS in front of a site, since service workers need it anywhere but on this machine.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tests::Site;

/// A server with TLS that passes requests on to a site. It can be stopped and started.
pub(crate) struct TlsServer {
    address: SocketAddr,
    config: Arc<ServerConfig>,
    site: SocketAddr,
    listening: Option<Listening>,
}

struct Listening {
    is_wanted: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl TlsServer {
    /// Starts one on an address of this machine. Writes the certificate to trust.
    pub(crate) fn start(site: &Site, host: &str, certificate_file: &Path) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec![host.to_owned()]).unwrap();
        fs::write(certificate_file, cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let mut server = Self {
            address: SocketAddr::new(host.parse().unwrap(), 0),
            config: Arc::new(config),
            site: SocketAddr::from(([127, 0, 0, 1], site.port())),
            listening: None,
        };
        server.go_on();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/", self.address)
    }

    /// Nobody listens any more.
    pub(crate) fn stop(&mut self) {
        let Some(Listening { is_wanted, thread }) = self.listening.take() else {
            return;
        };
        is_wanted.store(false, Ordering::SeqCst);
        // So that it looks.
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
    }

    /// Listens on the same address as before.
    pub(crate) fn go_on(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        let (config, site) = (Arc::clone(&self.config), self.site);
        let is_wanted = Arc::new(AtomicBool::new(true));
        let still_wanted = Arc::clone(&is_wanted);
        let thread = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if !still_wanted.load(Ordering::SeqCst) {
                    return;
                }
                let config = Arc::clone(&config);
                // A connection that breaks is the client's to notice.
                thread::spawn(move || relay(client, config, site));
            }
        });
        self.listening = Some(Listening { is_wanted, thread });
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
    }
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
