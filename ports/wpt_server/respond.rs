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

impl Site {
    /// Answers `request`.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        if let Some(name) = request.path.strip_prefix("/_wpt/") {
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
