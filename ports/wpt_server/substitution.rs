//! `{{...}}` in files with `.sub.` in their names.
//!
//! <https://web-platform-tests.org/writing-tests/server-pipes.html#sub>

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::addresses::Addresses;
use crate::hosts;
use crate::message::Request;

/// How a value is written where it is put.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Escape {
    None,
    Html,
}

/// A substitution that means nothing; in words.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Undefined(pub(crate) String);

/// `content` with its substitutions made.
pub(crate) fn substitute(
    content: &[u8],
    escape: Escape,
    request: &Request,
    addresses: &Addresses,
) -> Result<Vec<u8>, Undefined> {
    let mut substitution = Substitution {
        request,
        addresses,
        variables: BTreeMap::new(),
    };
    let mut result = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((start, end)) = placeholder(rest) {
        result.extend_from_slice(&rest[..start]);
        let expression = String::from_utf8_lossy(&rest[start + 2..end]);
        let value = substitution.value(&expression)?;
        let value = match escape {
            Escape::None => value,
            Escape::Html => escape_html(&value),
        };
        result.extend_from_slice(value.as_bytes());
        rest = &rest[end + 2..];
    }
    result.extend_from_slice(rest);
    Ok(result)
}

/// Where the first `{{...}}` starts, and where its text ends.
fn placeholder(content: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let start = from + find(&content[from..], b"{{")?;
        let inner = &content[start + 2..];
        let end = inner.iter().position(|byte| *byte == b'}')?;
        if inner[end..].starts_with(b"}}") {
            return Some((start, start + 2 + end));
        }
        from = start + 1;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#x27;")
}

struct Substitution<'a> {
    request: &'a Request,
    addresses: &'a Addresses,
    /// What `{{$name:...}}` has set.
    variables: BTreeMap<String, String>,
}

impl Substitution<'_> {
    fn value(&mut self, expression: &str) -> Result<String, Undefined> {
        let undefined = || Undefined(format!("cannot substitute {{{{{expression}}}}}"));
        let expression = expression.trim();
        if let Some((variable, expression)) = expression
            .split_once(':')
            .filter(|(variable, _)| variable.starts_with('$'))
        {
            let value = self.lookup(expression).ok_or_else(undefined)?;
            self.variables.insert(variable.to_owned(), value.clone());
            return Ok(value);
        }
        self.lookup(expression).ok_or_else(undefined)
    }

    fn lookup(&self, expression: &str) -> Option<String> {
        if let Some(value) = self.variables.get(expression) {
            return Some(value.clone());
        }
        let name_length = expression.find(['[', '(']).unwrap_or(expression.len());
        let (name, rest) = expression.split_at(name_length);
        if let Some(arguments) = rest.strip_prefix('(') {
            return self.call(name, arguments.strip_suffix(')')?);
        }
        let indexes = indexes(rest)?;
        match (name, indexes.as_slice()) {
            ("host", []) => Some(hosts::MAIN.to_owned()),
            ("domains", [subdomain]) => hosts::lookup("", subdomain),
            ("hosts", [alias, subdomain]) => hosts::lookup(alias, subdomain),
            ("ports", [scheme, index]) => self.port(scheme, index.parse().ok()?),
            ("location", [part]) => self.location(part),
            ("GET", [name]) => Some(self.request.parameter(name).unwrap_or_default()),
            ("headers", [name]) => self.request.header(name).map(ToOwned::to_owned),
            ("url_base", []) => Some("/".to_owned()),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &str) -> Option<String> {
        match name {
            "uuid" if arguments.is_empty() => Some(Uuid::new_v4().to_string()),
            "header_or_default" => {
                let (name, default) = arguments.split_once(',')?;
                let value = self.request.header(name.trim());
                Some(value.unwrap_or(default.trim_start()).to_owned())
            }
            _ => None,
        }
    }

    /// A port; 0, at which nothing answers, for the schemes that this server does not have.
    fn port(&self, scheme: &str, index: usize) -> Option<String> {
        let port = match scheme {
            "http" => *self.addresses.http.get(index)?,
            "https" => *self.addresses.https.get(index)?,
            _ => 0,
        };
        Some(port.to_string())
    }

    fn location(&self, part: &str) -> Option<String> {
        let request = self.request;
        let scheme = if request.https { "https" } else { "http" };
        let (host, port) = (request.host(), request.port);
        Some(match part {
            "server" => format!("{scheme}://{host}:{port}"),
            "scheme" => scheme.to_owned(),
            "host" => format!("{host}:{port}"),
            "hostname" => host.to_owned(),
            "port" => port.to_string(),
            "path" | "pathname" => request.raw_path.clone(),
            "query" => format!("?{}", request.query),
            _ => return None,
        })
    }
}

/// The texts in `[..][..]`.
fn indexes(mut text: &str) -> Option<Vec<&str>> {
    let mut indexes = Vec::new();
    while !text.is_empty() {
        let (index, rest) = text.strip_prefix('[')?.split_once(']')?;
        indexes.push(index);
        text = rest;
    }
    Some(indexes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(content: &str, escape: Escape) -> Result<String, Undefined> {
        let request = Request {
            method: "GET".to_owned(),
            raw_path: "/a%20b".to_owned(),
            path: "/a b".to_owned(),
            query: "x=%3C1%3E&y=2".to_owned(),
            headers: vec![("Host".to_owned(), "www.web-platform.test:81".to_owned())],
            https: true,
            port: 81,
            ..Request::default()
        };
        let addresses = Addresses {
            http: vec![80, 82],
            https: vec![81],
        };
        substitute(content.as_bytes(), escape, &request, &addresses)
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn hosts_and_ports_are_substituted() {
        assert_eq!(
            substituted(
                "{{host}} {{domains[www1]}} {{hosts[alt][]}} {{ports[http][1]}} {{ports[ws][0]}}",
                Escape::None
            )
            .unwrap(),
            "web-platform.test www1.web-platform.test not-web-platform.test 82 0"
        );
    }

    #[test]
    fn the_request_is_substituted() {
        assert_eq!(
            substituted(
                "{{location[server]}}{{location[path]}}{{location[query]}} {{GET[x]}}{{GET[z]}} \
                 {{headers[host]}} {{header_or_default(X-A, none)}}",
                Escape::None
            )
            .unwrap(),
            "https://www.web-platform.test:81/a%20b?x=%3C1%3E&y=2 <1> www.web-platform.test:81 none"
        );
        assert_eq!(
            substituted("{{GET[x]}}", Escape::Html).unwrap(),
            "&lt;1&gt;"
        );
    }

    #[test]
    fn a_variable_keeps_its_value() {
        let result = substituted("{{$id:uuid()}} {{$id}}", Escape::None).unwrap();
        let (first, second) = result.split_once(' ').unwrap();
        assert_eq!(first, second);
        assert_eq!(first.len(), 36);
    }

    #[test]
    fn what_is_no_substitution_stays_and_an_unknown_one_is_an_error() {
        assert_eq!(
            substituted("{a: {b: 1}} {{ {x} {{host}}", Escape::None).unwrap(),
            "{a: {b: 1}} {{ {x} web-platform.test"
        );
        let error = substituted("{{hosts[nowhere][]}}", Escape::None).unwrap_err();
        assert_eq!(error.0, "cannot substitute {{hosts[nowhere][]}}");
    }
}
