//! Requests and responses of the network as a service worker gets them, and back.

use net::{Destination, Request, Response, ResponseType};
use sw_traits::{FetchRequest, FetchResponse};
use url::Url;

use super::fetcher::Around;

/// A request for a `fetch` event.
pub(super) fn to_event(request: &Request, around: Around) -> FetchRequest {
    let mut headers = request.headers.clone();
    // What the browser accepts is decided before a service worker sees it.
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("accept"))
    {
        let accept = request.destination.accept().as_bytes().to_vec();
        headers.push(("accept".to_owned(), accept));
    }
    let referrer = request
        .referrer
        .as_ref()
        .and_then(|referrer| request.referrer_policy.referrer(referrer, &request.url));
    FetchRequest {
        method: request.method.clone(),
        url: request.url.clone(),
        headers,
        body: request.body.clone(),
        mode: request.mode.as_str().to_owned(),
        destination: match request.destination {
            Destination::Empty => String::new(),
            other => other.as_str().to_owned(),
        },
        credentials: request.credentials.as_str().to_owned(),
        cache: request.cache.as_str().to_owned(),
        redirect: request.redirect.as_str().to_owned(),
        referrer: referrer.unwrap_or_default(),
        referrer_policy: request.referrer_policy.as_str().to_owned(),
        initiator: around.initiator,
        replaces: around.replaces,
    }
}

/// The response of a service worker to a request for `url`.
pub(crate) fn from_event(response: FetchResponse, url: &Url) -> Response {
    let mut response = to_network(response);
    if response.response_type != ResponseType::Opaque {
        response.url.get_or_insert_with(|| url.clone());
    }
    response
}

/// A response as the network has them; its URL is that of the request it is for, if it has none.
pub(crate) fn to_network(response: FetchResponse) -> Response {
    let response_type = match response.response_type.as_str() {
        "basic" => ResponseType::Basic,
        "cors" => ResponseType::Cors,
        "opaque" => ResponseType::Opaque,
        "opaqueredirect" => ResponseType::OpaqueRedirect,
        _ => ResponseType::Default,
    };
    Response {
        response_type,
        url: response.url,
        redirected: response.redirected,
        redirects: Vec::new(),
        from_cache: false,
        status: response.status,
        status_text: String::from_utf8_lossy(&response.status_text).into_owned(),
        headers: response
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        body: response.body.unwrap_or_default(),
        internal: response
            .internal
            .map(|internal| Box::new(to_network(*internal))),
    }
}

/// A response of the network as a service worker gets it, or gives it back.
pub(crate) fn to_response(response: &Response) -> FetchResponse {
    let response_type = match response.response_type {
        ResponseType::Basic => "basic",
        ResponseType::Cors => "cors",
        ResponseType::Default => "default",
        ResponseType::Opaque => "opaque",
        ResponseType::OpaqueRedirect => "opaqueredirect",
    };
    FetchResponse {
        response_type: response_type.to_owned(),
        url: response.url.clone(),
        redirected: response.redirected,
        status: response.status,
        status_text: response.status_text.clone().into_bytes(),
        headers: response.headers.clone(),
        body: Some(response.body.clone()),
        internal: response
            .internal
            .as_ref()
            .map(|internal| Box::new(to_response(internal))),
    }
}
