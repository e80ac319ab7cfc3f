//! From a request to a response.

use crate::addresses::Addresses;
use crate::files::{self, companion_headers};
use crate::helpers::Helpers;
use crate::message::{Request, Response};
use crate::metadata::Metadata;
use crate::pipes;
use crate::substitution::Undefined;
use crate::tree::{Source, Tree};
use crate::wrappers::Wrapped;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) tree: Tree,
    pub(crate) addresses: Addresses,
    pub(crate) helpers: Helpers,
}

/// Old names of harness files, and their new ones.
const REWRITES: [(&str, &str); 1] = [(
    "/resources/WebIDLParser.js",
    "/resources/webidl2/lib/webidl2.js",
)];

/// Python handlers of our own tests, for upstream's server, and the helpers that do the same here.
const HANDLERS: [(&str, &str); 1] = [("/background-sync/resources/log.py", "log")];

impl Site {
    /// Answers `request`.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        let handler = HANDLERS.iter().find(|(path, _)| *path == request.path);
        let helper = handler.map(|(_, name)| *name);
        if let Some(name) = helper.or_else(|| request.path.strip_prefix("/_wpt/")) {
            return self.helpers.respond(name, request);
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            let mut response = Response::text(405, "Files can only be read.");
            response.set("Allow", "GET, HEAD");
            return response;
        }
        let path = REWRITES
            .iter()
            .find(|(old, _)| *old == request.path)
            .map_or(request.path.as_str(), |(_, new)| new);
        if let Some(response) = self.wrapper(path, request) {
            return response;
        }
        let Some(source) = self.tree.source(path) else {
            return Response::text(404, format!("There is nothing at {path}."));
        };
        if let Some((_, "py" | "asis")) = path.rsplit_once('.') {
            return Response::text(501, "Only upstream's server runs Python and raw answers.");
        }
        let response = files::answer(&source, path, request, self);
        self.through_pipes(response, path, request)
    }

    fn through_pipes(&self, response: Response, path: &str, request: &Request) -> Response {
        match pipes::apply(response, path, request, &self.addresses) {
            Ok(response) => response,
            Err(Undefined(error)) => Response::text(500, error),
        }
    }

    /// A wrapper page or script; `None` when there is no file for it.
    fn wrapper(&self, path: &str, request: &Request) -> Option<Response> {
        let wrapped = Wrapped::at(path)?;
        let script = match self.tree.source(&wrapped.file)? {
            Source::Bytes(bytes) => bytes.to_vec(),
            Source::File(file) => std::fs::read(file).ok()?,
        };
        let metadata = Metadata::of_script(&script);
        let Some(content) = wrapped.content(&metadata, &request.query) else {
            return Some(Response::text(404, "The test is not for this global."));
        };
        let mut response = Response::new(200);
        response.set("Content-Type", wrapped.content_type());
        match companion_headers(&wrapped.file, request, self) {
            Ok(headers) => {
                for (name, value) in headers {
                    response.set(&name, value);
                }
            }
            Err(Undefined(error)) => return Some(Response::text(500, error)),
        }
        response.body = content.into_bytes();
        Some(self.through_pipes(response, path, request))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::RequestReader;

    fn site() -> Site {
        let script = b"// META: global=window,worker\n// META: title={{host}}\n";
        Site {
            tree: Tree::new()
                .bytes("/a.sub.txt", "{{GET[x]}} 0123456789")
                .bytes("/a.any.js", script)
                .bytes("/a.txt", "0123456789"),
            addresses: Addresses::default(),
            helpers: Helpers::default(),
        }
    }

    proptest! {
        #[test]
        fn every_request_is_answered(
            path in r"/(a\.(sub\.)?txt|a\.any\.(worker\.)?(js|html)|_wpt/(log|status|worker)|[a-z./%]{0,9})",
            query in r"(pipe=(sub|header|slice|trickle|status)\([dr0-9:,.a-z-]{0,12}\)?&?)?([a-z]=[%{}\[\]0-9a-f-]{0,9}&?){0,3}",
            range in r"bytes=[0-9]{0,3}-[0-9]{0,20}",
        ) {
            let head = format!("GET {path}?{query} HTTP/1.1\r\nRange: {range}\r\n\r\n");
            let mut stream = std::io::Cursor::new(head.into_bytes());
            if let Ok(Some(request)) = RequestReader::new().next(&mut stream) {
                let response = site().respond(&request);
                prop_assert!((200..=599).contains(&response.status) || query.contains("status("));
            }
        }

        #[test]
        fn every_stream_of_bytes_comes_to_an_end(
            head in r"(GET|POST) [ -~]{0,20} HTTP/1.1\r\n(Content-Length: [0-9-]{0,20}\r\n|Transfer-Encoding: chunked\r\n)?\r\n",
            body in r"([0-9a-g]{1,20}\r\n[a-z]{0,9}\r\n){0,3}",
        ) {
            let length = (head.len() + body.len()) as u64;
            let mut stream = std::io::Cursor::new((head + &body).into_bytes());
            let mut reader = RequestReader::new();
            while let Ok(Some(_)) = reader.next(&mut stream) {}
            prop_assert!(stream.position() <= length);
        }
    }
}
