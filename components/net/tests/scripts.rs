use net::{Destination, FetchErrorKind, Request};

use crate::server::{Server, answer};
use crate::{Browser, own};

#[test]
fn what_is_no_script_is_not_had_as_one() {
    let server = Server::text(|request| {
        let headers = match request.target.as_str() {
            "/image" => "Content-Type: image/png",
            "/strict" => "Content-Type: text/plain\nX-Content-Type-Options: nosniff",
            "/text" => "Content-Type: text/plain",
            _ => "Content-Type: text/javascript\nX-Content-Type-Options: nosniff",
        };
        answer("200 OK", headers, "1")
    });
    let browser = Browser::new();
    for (path, is_had) in [
        ("/image", false),
        ("/strict", false),
        ("/text", true),
        ("/", true),
    ] {
        let as_data = own(&server.url(path));
        assert!(browser.fetch(as_data.clone()).is_ok(), "{path}");
        let as_script = Request {
            destination: Destination::Script,
            ..as_data
        };
        let result = browser.fetch(as_script);
        assert_eq!(result.is_ok(), is_had, "{path}");
        if let Err(error) = result {
            assert_eq!(error.kind, FetchErrorKind::Blocked, "{path}");
        }
    }
}
