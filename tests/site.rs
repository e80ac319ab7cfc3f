use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base::channel::{self, Receiver, Sender};
use tiny_http::{Header, Method, Request, Response, Server};

/// How long a test waits for something that must happen, on a slow and busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A request other than `GET` that the site got.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path, with its leading slash.
    pub path: String,
    /// The body.
    pub body: String,
}

/// What the site does with a request for a path.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Answer with this status.
    Status(u16),
    /// Answer with a body of this content type.
    Body {
        /// The `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Take the request and never answer, until the site is dropped.
    Hang,
}

impl Reaction {
    /// Answer with a script.
    pub fn script(body: &str) -> Self {
        Self::body("text/javascript", body)
    }

    /// Answer with a page.
    pub fn page(body: &str) -> Self {
        Self::body("text/html", body)
    }

    fn body(content_type: &'static str, body: &str) -> Self {
        Self::Body {
            content_type,
            body: body.to_owned(),
        }
    }
}

/// A web site on a free port of the loopback interface: the files of a folder, and what a test
/// says about single paths. Stops when it is dropped.
pub struct Site {
    server: Arc<Server>,
    port: u16,
    reactions: Arc<Mutex<HashMap<String, Reaction>>>,
    received: Receiver<Received>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    /// Serve one of the folders in `tests/sites`.
    ///
    /// # Panics
    ///
    /// When there is no such folder, or loopback cannot be listened on.
    pub fn serve(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("sites")
            .join(name);
        assert!(folder.is_dir(), "there is no site {}", folder.display());
        Self::serve_folder(folder, IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Serve any folder on any address of this machine.
    ///
    /// # Panics
    ///
    /// When the address cannot be listened on.
    pub fn serve_folder(folder: PathBuf, address: IpAddr) -> Self {
        let server = Server::http(SocketAddr::new(address, 0)).expect("the address is ours");
        let port = server
            .server_addr()
            .to_ip()
            .expect("it listens on an IP address")
            .port();
        let server = Arc::new(server);
        let reactions = Arc::new(Mutex::new(HashMap::new()));
        // Bounded by what the pages of one test send.
        let (sender, received) = channel::unbounded();
        let files = Files {
            folder,
            reactions: Arc::clone(&reactions),
            sender,
        };
        let thread = thread::spawn({
            let server = Arc::clone(&server);
            move || {
                // Requests that are never answered are kept, so that they stay open.
                let mut hanging = Vec::new();
                for request in server.incoming_requests() {
                    hanging.extend(files.answer(request));
                }
            }
        });
        Self {
            server,
            port,
            reactions,
            received,
            thread: Some(thread),
        }
    }

    /// The URL of a path that begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, do this with requests for a path.
    pub fn react(&self, path: &str, reaction: Reaction) {
        let mut reactions = self
            .reactions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        reactions.insert(path.to_owned(), reaction);
    }

    /// The next request other than `GET`.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub fn wait_for_request(&self) -> Received {
        match self.received.recv_timeout(Some(PATIENCE)) {
            channel::Received::Message(received) => received,
            _ => panic!("the site got no request"),
        }
    }

    /// The requests other than `GET` that came and were not asked for yet.
    pub fn requests(&self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv()).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // When it panicked, a test has failed already.
            let _ = thread.join();
        }
    }
}

struct Files {
    folder: PathBuf,
    reactions: Arc<Mutex<HashMap<String, Reaction>>>,
    sender: Sender<Received>,
}

impl Files {
    /// Answer a request, or give it back when it is to be left without an answer.
    fn answer(&self, mut request: Request) -> Option<Request> {
        let path = request
            .url()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        if *request.method() != Method::Get {
            let mut body = String::new();
            // A body that does not come whole is recorded as far as it came.
            let _ = request.as_reader().read_to_string(&mut body);
            let method = request.method().to_string();
            let _ = self.sender.send(Received {
                method,
                path: path.clone(),
                body,
            });
        }
        let reaction = self
            .reactions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&path)
            .cloned();
        match reaction {
            Some(Reaction::Hang) => return Some(request),
            Some(Reaction::Status(status)) => respond(request, status, "text/plain", String::new()),
            Some(Reaction::Body { content_type, body }) => {
                respond(request, 200, content_type, body);
            }
            None if *request.method() != Method::Get => {
                respond(request, 201, "text/plain", "accepted".to_owned());
            }
            None => match self.read(&path) {
                Ok(body) => respond(request, 200, content_type(&path), body),
                Err(_) => respond(request, 404, "text/plain", "not found".to_owned()),
            },
        }
        None
    }

    fn read(&self, path: &str) -> io::Result<String> {
        let name = path.trim_start_matches('/');
        let name = if name.is_empty() { "index.html" } else { name };
        if name.contains("..") {
            return Err(io::ErrorKind::NotFound.into());
        }
        fs::read_to_string(self.folder.join(name))
    }
}

fn respond(request: Request, status: u16, content_type: &str, body: String) {
    let header = Header::from_bytes("Content-Type", content_type).expect("it is a header");
    let response = Response::from_string(body)
        .with_status_code(status)
        .with_header(header);
    // The client may be gone, which is its own matter.
    let _ = request.respond(response);
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" => "text/javascript",
        "css" => "text/css",
        "json" => "application/json",
        _ => "text/html; charset=utf-8",
    }
}
