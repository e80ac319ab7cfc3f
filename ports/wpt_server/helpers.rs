//! Answers for tests that want to look at the server's side, or want it to fail.
//!
//! All are below `/_wpt/` and answer every method, from every origin (preflights included), with
//! `Cache-Control: no-store`. `key` is any text that the test chooses, usually a UUID; keys do not
//! know of each other, and what is remembered of one is forgotten when the server ends.
//!
//! - `/_wpt/log?key=K`: a request with a body (`POST`, `PUT`) is written down; `GET` answers with
//!   all that were, one JSON object a line with `method`, `url`, `headers` (names in lower case)
//!   and `body`; `DELETE` forgets them. `GET` with `&wait=N` waits until there are N lines, for at
//!   most 30 seconds. `/background-sync/resources/log.py` is answered in the same way: it is the one
//!   handler that our own tests bring for upstream's server.
//! - `/_wpt/status?code=503`: answers with that status. With `&key=K` the request is written down
//!   for `log`, whatever its method. With `&code=503,503,200` and a key, each request gets the next
//!   status, and the last one repeats.
//! - `/_wpt/close`: closes the connection without an answer, which is a network error. With `&key=K`
//!   the request is written down; some clients ask a second time.
//! - `/_wpt/redirect?to=URL`: redirects, with 302 or `&code=`.
//! - `/_wpt/response?body=TEXT`: answers with that text; `&type=` is its content type
//!   (`text/plain`), `&status=` the status, each `&header=NAME:VALUE` a header. `&fresh=1` adds a
//!   comment with a number that grows with each request, so that a worker's script differs from the
//!   one before. With `&key=K` the request is written down.
//! - `/_wpt/worker?body=TEXT`: the same with the content type `text/javascript`.
//! - `/_wpt/hold?key=K`: does not answer before `/_wpt/release?key=K` was requested, or 30 seconds
//!   have passed. What was released stays so. With a key, the request is written down when it comes
//!   in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde_json::{Map, Value, json};

use crate::message::{Request, Response};

/// The longest that a request waits for something to happen.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The most requests that are written down under one key.
const LONGEST_LOG: usize = 10_000;

/// What tests have left with the server.
#[derive(Debug, Default)]
pub(crate) struct Helpers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    logs: BTreeMap<String, Vec<Value>>,
    /// How often `status` was asked for under a key.
    counts: BTreeMap<String, usize>,
    released: BTreeSet<String>,
    /// How many fresh bodies there were.
    fresh: u64,
    ended: bool,
}

impl Helpers {
    /// Lets everything that waits go on, because the server ends.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    /// Answers a request for the helper of that name.
    pub(crate) fn respond(&self, name: &str, request: &Request) -> Response {
        let mut response = if request.method == "OPTIONS" {
            Response::new(204)
        } else {
            self.run(name, request)
                .unwrap_or_else(|problem| Response::text(400, problem))
        };
        if !response.has("cache-control") {
            response.set("Cache-Control", "no-store");
        }
        if !response.has("access-control-allow-origin") {
            response.set("Access-Control-Allow-Origin", "*");
        }
        response.set("Access-Control-Allow-Methods", "*, GET, POST, PUT, DELETE");
        response.set("Access-Control-Allow-Headers", "*, Content-Type");
        response
    }

    fn run(&self, name: &str, request: &Request) -> Result<Response, String> {
        let key = request.parameter("key");
        let needed_key = || key.clone().ok_or("the parameter \"key\" is missing");
        match name {
            "log" => self.log(&needed_key()?, request),
            "status" => self.status(key.as_deref(), request),
            "close" => {
                if let Some(key) = &key {
                    self.write_down(key, request);
                }
                Ok(Response::silent())
            }
            "redirect" => redirect(request),
            "response" => self.response(key.as_deref(), request, "text/plain"),
            "worker" => self.response(key.as_deref(), request, "text/javascript"),
            "hold" => {
                let key = needed_key()?;
                self.write_down(&key, request);
                self.wait(|state| state.released.contains(&key));
                Ok(Response::text(200, "released"))
            }
            "release" => {
                self.state.lock().released.insert(needed_key()?);
                self.changed.notify_all();
                Ok(Response::new(204))
            }
            _ => Err(format!("there is no helper \"{name}\"")),
        }
    }

    fn log(&self, key: &str, request: &Request) -> Result<Response, String> {
        match request.method.as_str() {
            "GET" | "HEAD" => {
                let length = number(request, "wait")?.unwrap_or(0);
                self.wait(|state| {
                    let lines = state.logs.get(key).map_or(0, Vec::len);
                    lines >= usize::from(length)
                });
                let state = self.state.lock();
                let lines = state.logs.get(key).into_iter().flatten();
                let lines: String = lines.map(|line| line.to_string() + "\n").collect();
                Ok(Response::text(200, lines))
            }
            "DELETE" => {
                self.state.lock().logs.remove(key);
                Ok(Response::new(204))
            }
            _ => {
                self.write_down(key, request);
                Ok(Response::new(204))
            }
        }
    }

    fn write_down(&self, key: &str, request: &Request) {
        let mut headers = Map::new();
        for (name, value) in &request.headers {
            headers.insert(name.to_ascii_lowercase(), Value::from(value.as_str()));
        }
        let url = match request.query.as_str() {
            "" => request.raw_path.clone(),
            query => format!("{}?{query}", request.raw_path),
        };
        let line = json!({
            "method": request.method,
            "url": url,
            "headers": headers,
            "body": String::from_utf8_lossy(&request.body),
        });
        let mut state = self.state.lock();
        let log = state.logs.entry(key.to_owned()).or_default();
        if log.len() < LONGEST_LOG {
            log.push(line);
        }
        self.changed.notify_all();
    }

    fn status(&self, key: Option<&str>, request: &Request) -> Result<Response, String> {
        let codes = request.parameter("code").unwrap_or_default();
        let codes: Result<Vec<u16>, _> = codes.split(',').map(status_code).collect();
        let codes = codes?;
        let mut turn = 0;
        if let Some(key) = key {
            let mut state = self.state.lock();
            let count = state.counts.entry(key.to_owned()).or_default();
            turn = *count;
            *count += 1;
            drop(state);
            self.write_down(key, request);
        }
        let code = codes.get(turn).or(codes.last());
        let code = *code.ok_or("the parameter \"code\" is missing")?;
        Ok(Response::text(code, format!("{code}\n")))
    }

    fn response(
        &self,
        key: Option<&str>,
        request: &Request,
        default_type: &str,
    ) -> Result<Response, String> {
        if let Some(key) = key {
            self.write_down(key, request);
        }
        let status = match request.parameter("status") {
            Some(code) => status_code(&code)?,
            None => 200,
        };
        let mut response = Response::new(status);
        response.set(
            "Content-Type",
            request.parameter("type").unwrap_or(default_type.to_owned()),
        );
        for (_, header) in request.parameters().filter(|(name, _)| name == "header") {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("\"{header}\" is not a header"))?;
            response.append(name.trim(), value.trim());
        }
        let mut body = request.parameter("body").unwrap_or_default();
        if request.parameter("fresh").is_some() {
            let mut state = self.state.lock();
            state.fresh += 1;
            body.extend(["\n// ", &state.fresh.to_string(), "\n"]);
        }
        response.body = body.into_bytes();
        Ok(response)
    }

    /// Waits until `condition` holds, the longest wait is over, or the server ends.
    fn wait(&self, condition: impl Fn(&State) -> bool) {
        let mut state = self.state.lock();
        self.changed.wait_while_for(
            &mut state,
            |state| !state.ended && !condition(state),
            LONGEST_WAIT,
        );
    }
}

fn redirect(request: &Request) -> Result<Response, String> {
    let to = request.parameter("to");
    let to = to.ok_or("the parameter \"to\" is missing")?;
    let code = match request.parameter("code") {
        Some(code) => status_code(&code)?,
        None => 302,
    };
    let mut response = Response::text(code, "");
    response.set("Location", to);
    Ok(response)
}

fn status_code(text: &str) -> Result<u16, String> {
    let code: u16 = text
        .trim()
        .parse()
        .map_err(|_| format!("\"{text}\" is not a status"))?;
    match code {
        200..=599 => Ok(code),
        _ => Err(format!("\"{text}\" is not a status")),
    }
}

fn number(request: &Request, name: &str) -> Result<Option<u16>, String> {
    let Some(text) = request.parameter(name) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| format!("\"{text}\" is not a number"))
}
