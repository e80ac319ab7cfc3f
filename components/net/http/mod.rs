//! One HTTP/1.1 exchange after the other, over connections that are kept.

mod connect;

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use network_traits::HostMap;
use parking_lot::RwLock;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::Agent;
use ureq::config::Config;
use ureq::http;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::{Position, Url};

use self::connect::{HostResolver, WatchedConnector};
use crate::config::NetConfig;
use crate::control::Control;
use crate::error::{FetchError, FetchErrorKind};
use crate::response::{FetchResult, Response, ResponseType};

/// How long making a connection may take, TLS included. A fetch may have a shorter limit; this one
/// frees the thread of a fetch that was stopped meanwhile.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// How long a connection is kept without use: less than servers and routers on the way usually
/// take to forget it.
const KEPT_IDLE: Duration = Duration::from_secs(60);

/// How many idle connections are kept in all.
const MAX_IDLE: usize = 64;

/// The largest head of a response, in bytes.
const MAX_HEAD_SIZE: usize = 256 << 10;

/// How much of a body is read at once, in bytes.
const READ_SIZE: usize = 16 << 10;

/// A request for one URL, with all its headers but those that frame it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// Makes connections, keeps them while they are idle, and exchanges messages over them.
pub(crate) struct HttpClient {
    config: Config,
    hosts: HostMap,
    /// Uses connections again.
    keeping: RwLock<Agent>,
    /// Makes a new connection each time.
    fresh: Agent,
}

/// How an exchange has failed.
enum Failure {
    /// The server closed the connection before the response's head was complete.
    Closed,
    Other(FetchError),
}

impl HttpClient {
    pub(crate) fn new(config: &NetConfig) -> Result<Self, rustls::Error> {
        let tls = TlsConfig::builder()
            .root_certs(root_certificates(config)?)
            .build();
        let builder = || {
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .proxy(None)
                .user_agent("")
                .accept("")
                .accept_encoding("")
                .allow_non_standard_methods(true)
                .max_response_header_size(MAX_HEAD_SIZE)
                .timeout_connect(Some(CONNECT_LIMIT))
                .tls_config(tls.clone())
        };
        let hosts = config.hosts.clone();
        let config = builder()
            .max_idle_connections(MAX_IDLE)
            .max_idle_connections_per_host(config.max_running_per_origin)
            .max_idle_age(KEPT_IDLE)
            .build();
        let keeping = RwLock::new(agent(&config, &hosts));
        Ok(Self {
            config,
            keeping,
            fresh: agent(&builder().max_idle_connections(0).build(), &hosts),
            hosts,
        })
    }

    /// Closes the idle connections: the network is another one.
    pub(crate) fn close_idle(&self) {
        *self.keeping.write() = agent(&self.config, &self.hosts);
    }

    /// Sends a request, and receives the response up to its end.
    pub(crate) fn send(
        &self,
        exchange: &Exchange,
        max_body_size: usize,
        control: &Control,
    ) -> FetchResult {
        // A server may close an idle connection at any moment, also while a request is on its way.
        // One that may be sent twice is then sent again; one that may not gets a new connection.
        if is_idempotent(&exchange.method) {
            let keeping = self.keeping.read().clone();
            match attempt(&keeping, exchange, max_body_size, control) {
                Err(Failure::Closed) if control.is_aborted() => return Err(stopped(&exchange.url)),
                Err(Failure::Closed) if !control.connection_is_new() => {}
                ended => return ended.map_err(|failure| failure.into_error(&exchange.url)),
            }
        }
        let ended = attempt(&self.fresh, exchange, max_body_size, control);
        ended.map_err(|failure| failure.into_error(&exchange.url))
    }
}

impl Failure {
    fn into_error(self, url: &Url) -> FetchError {
        match self {
            Self::Other(error) => error,
            Self::Closed => {
                let reason = "the server closed the connection without a complete response";
                FetchError::new(FetchErrorKind::Truncated, url, reason)
            }
        }
    }
}

/// Nobody receives it: whoever stops a fetch answers it.
fn stopped(url: impl fmt::Display) -> FetchError {
    FetchError::new(FetchErrorKind::Aborted, url, "it was stopped")
}

fn agent(config: &Config, hosts: &HostMap) -> Agent {
    let resolver = HostResolver(hosts.clone());
    Agent::with_parts(config.clone(), WatchedConnector::default(), resolver)
}

/// The authorities that Mozilla trusts, and those of the configuration.
fn root_certificates(config: &NetConfig) -> Result<RootCerts, rustls::Error> {
    let mut usable = RootCertStore::empty();
    for extra in &config.extra_root_certificates {
        usable.add(CertificateDer::from_slice(extra))?;
    }
    let usual = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    let usual = usual.iter().map(|root| Certificate::from_der(root));
    let extra = config.extra_root_certificates.iter();
    let extra = extra.map(|root| Certificate::from_der(root).to_owned());
    Ok(usual.chain(extra).collect::<Vec<_>>().into())
}

/// <https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2>
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

fn attempt(
    agent: &Agent,
    exchange: &Exchange,
    max_body_size: usize,
    control: &Control,
) -> Result<Response, Failure> {
    let url = &exchange.url;
    let request = head(exchange).map_err(Failure::Other)?;
    control.begin_exchange(url);
    // An absent body still has a length where one is expected.
    let sent = match &exchange.body {
        Some(body) => agent.run(request.map(|()| body.as_slice())),
        None if matches!(exchange.method.as_str(), "POST" | "PUT") => {
            agent.run(request.map(|()| &[][..]))
        }
        None => agent.run(request),
    };
    let status_text = control.end_head();
    let ended = sent
        .map_err(|error| head_error(url, error))
        .and_then(|response| {
            let (parts, body) = response.into_parts();
            let response = from_http(url, &parts, status_text);
            let body = receive(url, &response, body, max_body_size).map_err(Failure::Other)?;
            Ok(Response { body, ..response })
        });
    control.end_exchange();
    ended
}

/// The head of a request, without the headers that frame it.
pub(crate) fn head(exchange: &Exchange) -> Result<http::Request<()>, FetchError> {
    let bad = |what: String| {
        let reason = format!("{what} cannot be sent");
        FetchError::new(FetchErrorKind::BadRequest, &exchange.url, reason)
    };
    // Neither credentials nor the fragment are sent.
    let url = &exchange.url;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let mut request = http::Request::builder()
        .method(exchange.method.as_bytes())
        .uri(format!("{}://{host}{target}", url.scheme()))
        .body(())
        .map_err(|_| bad("this URL or method".to_owned()))?;
    for (name, value) in &exchange.headers {
        let value = http::HeaderValue::from_bytes(value)
            .map_err(|_| bad(format!("the value of the header {name}")))?;
        let name = http::HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| bad(format!("a header named \"{name}\"")))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// The response without its body.
fn from_http(url: &Url, parts: &http::response::Parts, status_text: String) -> Response {
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    Response {
        response_type: ResponseType::Basic,
        url: Some(url.clone()),
        redirected: false,
        redirects: Vec::new(),
        from_cache: false,
        status: parts.status.as_u16(),
        status_text,
        headers: headers.collect(),
        body: Vec::new(),
        internal: None,
    }
}

fn receive(
    url: &Url,
    head: &Response,
    body: ureq::Body,
    limit: usize,
) -> Result<Vec<u8>, FetchError> {
    let too_large = || {
        let reason = format!("the response is larger than the limit of {limit} bytes");
        FetchError::new(FetchErrorKind::TooLarge, url, reason)
    };
    let announced = body.content_length();
    if announced.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(too_large());
    }
    let mut reader = body.into_reader();
    let (mut received, mut buffer) = (Vec::new(), vec![0; READ_SIZE]);
    loop {
        let length = reader
            .read(&mut buffer)
            .map_err(|error| body_error(url, head.status, received.len(), &error))?;
        if length == 0 {
            return Ok(received);
        }
        if received.len() + length > limit {
            return Err(too_large());
        }
        received.extend_from_slice(&buffer[..length]);
    }
}

fn head_error(url: &Url, error: ureq::Error) -> Failure {
    let (kind, reason) = match error {
        ureq::Error::Io(error) if is_close(&error) => return Failure::Closed,
        // What happened before there was a connection says so itself.
        ureq::Error::Other(error) if error.is::<FetchError>() => {
            return match error.downcast::<FetchError>() {
                Ok(error) => {
                    Failure::Other(FetchError::new(error.kind, url, error.reason.as_str()))
                }
                Err(_) => Failure::Closed,
            };
        }
        ureq::Error::Io(error) => (
            FetchErrorKind::Truncated,
            format!("the connection failed: {error}"),
        ),
        ureq::Error::Timeout(_) => {
            let reason = format!("no connection to the server within {CONNECT_LIMIT:?}");
            (FetchErrorKind::ConnectTimeout, reason)
        }
        error => (
            FetchErrorKind::Protocol,
            format!("the response is not valid HTTP: {error}"),
        ),
    };
    Failure::Other(FetchError::new(kind, url, reason))
}

fn body_error(url: &Url, status: u16, received: usize, error: &io::Error) -> FetchError {
    if is_close(error) {
        let reason = format!(
            "the server closed the connection half way: it answered with status {status}, and \
             the body was not complete after {received} bytes"
        );
        return FetchError::new(FetchErrorKind::Truncated, url, reason);
    }
    let reason = format!("the response's body is not valid HTTP: {error}");
    FetchError::new(FetchErrorKind::Protocol, url, reason)
}

fn is_close(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn exchange(url: &str) -> Exchange {
        Exchange {
            method: "GET".to_owned(),
            url: Url::parse(url).unwrap(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Sends a request on a thread of its own, as a fetch does.
    fn send(
        client: &Arc<HttpClient>,
        exchange: &Exchange,
        control: &Arc<Control>,
    ) -> thread::JoinHandle<FetchResult> {
        let (client, exchange) = (Arc::clone(client), exchange.clone());
        let control = Arc::clone(control);
        thread::spawn(move || {
            Arc::clone(&control).make_current();
            client.send(&exchange, 1000, &control)
        })
    }

    /// Reads up to the end of a request's head.
    fn read_head(stream: &mut TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
    }

    fn assert_nobody_connects(listener: &TcpListener) {
        // A connection that was made stands in the queue already.
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_fetch_that_is_stopped_on_a_kept_connection_makes_no_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let exchange = exchange(&format!("http://{}/", listener.local_addr().unwrap()));
        let client = Arc::new(HttpClient::new(&NetConfig::default()).unwrap());
        let control = || Arc::new(Control::new(exchange.url.clone()));
        let first = send(&client, &exchange, &control());
        let (mut stream, _) = listener.accept().unwrap();
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        assert_eq!(first.join().unwrap().unwrap().status, 200);
        let stopped = control();
        let second = send(&client, &exchange, &stopped);
        read_head(&mut stream);
        stopped.abort();
        assert_eq!(
            second.join().unwrap().unwrap_err().kind,
            FetchErrorKind::Aborted
        );
        assert_nobody_connects(&listener);
    }

    #[test]
    fn a_fetch_that_was_stopped_asks_for_no_name_and_makes_no_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = Arc::new(HttpClient::new(&NetConfig::default()).unwrap());
        for host in [
            listener.local_addr().unwrap().to_string(),
            "nobody.invalid".to_owned(),
        ] {
            let exchange = exchange(&format!("http://{host}/"));
            let control = Arc::new(Control::new(exchange.url.clone()));
            control.abort();
            let error = send(&client, &exchange, &control).join().unwrap();
            assert_eq!(error.unwrap_err().kind, FetchErrorKind::Aborted, "{host}");
        }
        assert_nobody_connects(&listener);
    }
}
