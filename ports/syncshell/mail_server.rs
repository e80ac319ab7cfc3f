//! The demo's server: serves the mail site and takes its mails.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use base::channel::Callback;
use serde::Deserialize;
use tiny_http::{Header, Method, Request, Response, Server};

/// A mail, as the site posts it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
}

const FILES: [(&str, &str, &str); 5] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("demo/index.html"),
    ),
    (
        "/index.html",
        "text/html; charset=utf-8",
        include_str!("demo/index.html"),
    ),
    (
        "/outbox.js",
        "text/javascript",
        include_str!("demo/outbox.js"),
    ),
    ("/page.js", "text/javascript", include_str!("demo/page.js")),
    (
        "/worker.js",
        "text/javascript",
        include_str!("demo/worker.js"),
    ),
];

/// An HTTP server on a free port of the loopback interface; stops when it is dropped.
pub(crate) struct MailServer {
    server: Arc<Server>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl MailServer {
    /// Start serving; each mail that arrives goes to `received`.
    pub(crate) fn start(received: Callback<Mail>) -> io::Result<Self> {
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(io::Error::other)?;
        let address = server
            .server_addr()
            .to_ip()
            .ok_or_else(|| io::Error::other("the server has no IP address"))?;
        let server = Arc::new(server);
        let thread = thread::Builder::new()
            .name("mail server".to_owned())
            .spawn({
                let server = Arc::clone(&server);
                move || {
                    for request in server.incoming_requests() {
                        answer(request, &received);
                    }
                }
            })?;
        Ok(Self {
            server,
            address,
            thread: Some(thread),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}/", self.address.port())
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            // A server thread that panicked has nothing to clean up.
            let _ = thread.join();
        }
    }
}

fn answer(mut request: Request, received: &Callback<Mail>) {
    let response = match (request.method(), request.url()) {
        (Method::Get, path) => FILES.iter().find(|(name, ..)| *name == path).map_or_else(
            || Response::from_string("not found").with_status_code(404),
            |(_, content_type, body)| {
                let response = Response::from_string(*body);
                match Header::from_bytes("Content-Type", *content_type) {
                    Ok(header) => response.with_header(header),
                    Err(()) => response,
                }
            },
        ),
        (Method::Post, "/mails") => match serde_json::from_reader::<_, Mail>(request.as_reader()) {
            Ok(mail) => {
                received.call(mail);
                Response::from_string("accepted").with_status_code(201)
            }
            Err(error) => Response::from_string(error.to_string()).with_status_code(400),
        },
        _ => Response::from_string("method not allowed").with_status_code(405),
    };
    // The client may be gone, which is its own matter.
    let _ = request.respond(response);
}
