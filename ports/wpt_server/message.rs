//! HTTP/1.1 requests and responses.
//!
//! <https://www.rfc-editor.org/rfc/rfc9112>

use std::io::{self, Read, Write};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// The longest head of a request that is read.
const LONGEST_HEAD: usize = 64 * 1024;

/// The longest body of a request that is read.
const LONGEST_BODY: usize = 64 * 1024 * 1024;

/// A request that came in whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as it was sent, with its escapes.
    pub(crate) raw_path: String,
    /// The path without escapes.
    pub(crate) path: String,
    /// Without the question mark.
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether it came over TLS.
    pub(crate) https: bool,
    /// The port at which it came in.
    pub(crate) port: u16,
}

impl Request {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The parameters of the query, in order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned()
    }

    /// The first parameter of that name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value)
    }

    /// The host name that the client asked for.
    pub(crate) fn host(&self) -> &str {
        let host = self.header("host").unwrap_or_default();
        host.rsplit_once(':').map_or(host, |(host, _)| host)
    }

    /// Whether the connection stays open afterwards.
    pub(crate) fn keeps_alive(&self) -> bool {
        !self
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads requests from one connection.
pub(crate) struct RequestReader {
    buffer: Vec<u8>,
}

impl RequestReader {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new() }
    }

    /// The next request; `None` when the client has closed the connection.
    pub(crate) fn next(&mut self, stream: &mut (impl Read + Write)) -> io::Result<Option<Request>> {
        let Some(mut request) = self.head(stream)? else {
            return Ok(None);
        };
        if request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = if request
            .header("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            self.chunks(stream)?
        } else {
            let length = match request.header("content-length") {
                Some(length) => length.parse().map_err(|_| malformed("content length"))?,
                None => 0,
            };
            self.take(stream, length)?
        };
        Ok(Some(request))
    }

    fn head(&mut self, stream: &mut impl Read) -> io::Result<Option<Request>> {
        loop {
            if let Some((request, length)) = parse_head(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(Some(request));
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(malformed("head: too long"));
            }
            let was_empty = self.buffer.is_empty();
            match self.fill(stream) {
                Ok(()) => {}
                Err(error) if was_empty && error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self, stream: &mut impl Read) -> io::Result<()> {
        let mut bytes = [0; 8192];
        let length = stream.read(&mut bytes)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&bytes[..length]);
        Ok(())
    }

    fn take(&mut self, stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
        if length > LONGEST_BODY {
            return Err(malformed("body: too long"));
        }
        while self.buffer.len() < length {
            self.fill(stream)?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn chunks(&mut self, stream: &mut impl Read) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete((start, size))) => {
                        self.buffer.drain(..start);
                        break usize::try_from(size).map_err(|_| malformed("chunk"))?;
                    }
                    Ok(httparse::Status::Partial) => self.fill(stream)?,
                    Err(_) => return Err(malformed("chunk")),
                }
            };
            if body.len().saturating_add(size) > LONGEST_BODY {
                return Err(malformed("body: too long"));
            }
            body.extend(self.take(stream, size)?);
            self.take(stream, 2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

fn parse_head(buffer: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(malformed(&error.to_string())),
    };
    let target = parsed.path.unwrap_or("/");
    let (raw_path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        raw_path: raw_path.to_owned(),
        path: percent_decode_str(raw_path).decode_utf8_lossy().into(),
        query: query.to_owned(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into();
                (header.name.to_owned(), value)
            })
            .collect(),
        ..Request::default()
    };
    Ok(Some((request, length)))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// What is sent for one request.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// When the parts of the body are sent; at once when empty.
    pub(crate) schedule: Vec<Step>,
    /// Nothing is sent at all; the connection is closed.
    pub(crate) is_silent: bool,
}

/// A step of sending a body in parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Wait(Duration),
    /// That many bytes.
    Send(usize),
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            schedule: Vec::new(),
            is_silent: false,
        }
    }

    /// No answer.
    pub(crate) fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::new(204)
        }
    }

    /// An answer that says in words what is wrong.
    pub(crate) fn text(status: u16, text: impl Into<String>) -> Self {
        let mut response = Self::new(status);
        response.set("Content-Type", "text/plain;charset=utf-8");
        response.body = text.into().into_bytes();
        response
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(each, _)| each.eq_ignore_ascii_case(name))
    }

    /// Sets a header in place of those of the same name.
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers
            .retain(|(each, _)| !each.eq_ignore_ascii_case(name));
        self.append(name, value);
    }

    pub(crate) fn append(&mut self, name: &str, value: impl AsRef<[u8]>) {
        // A line break would start something else.
        let value = value.as_ref().iter().copied();
        let value = value
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect();
        self.headers.push((name.to_owned(), value));
    }

    /// Sends the response. `pause` waits, and returns false when the server ends meanwhile.
    pub(crate) fn send(
        &self,
        stream: &mut impl Write,
        with_body: bool,
        mut pause: impl FnMut(Duration) -> bool,
    ) -> io::Result<()> {
        let mut bytes = self.head();
        if !with_body || !self.may_have_body() {
            stream.write_all(&bytes)?;
            return stream.flush();
        }
        let mut rest = self.body.as_slice();
        for step in &self.schedule {
            match step {
                Step::Send(length) => {
                    let (now, later) = rest.split_at((*length).min(rest.len()));
                    bytes.extend_from_slice(now);
                    rest = later;
                }
                Step::Wait(duration) => {
                    stream.write_all(&bytes)?;
                    stream.flush()?;
                    bytes.clear();
                    if !pause(*duration) {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
            }
        }
        bytes.extend_from_slice(rest);
        stream.write_all(&bytes)?;
        stream.flush()
    }

    fn may_have_body(&self) -> bool {
        self.status >= 200 && !matches!(self.status, 204 | 304)
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        if self.may_have_body() && !self.has("content-length") {
            head.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// The words that tests and people know a status by.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
