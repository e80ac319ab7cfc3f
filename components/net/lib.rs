//! HTTP fetch for pages, scripts and `fetch()`.
//!
//! - [`Net`] is the component on its threads; [`NetHandle`] is the way to it, for trusted code.
//! - [`Request`] and [`Response`] are the standard's, as data: the response's body comes whole.
//! - [`FetchError`] says why there is no response, in words for a web developer.
//!
//! The fetch algorithms (redirects, cross-origin rules with preflight, filtered responses, request
//! headers) follow <https://fetch.spec.whatwg.org/>; underneath is ureq with rustls, HTTP/1.1.
//! Every fetch is answered exactly once, and a fetch that is cancelled, or cut off by emulated
//! offline, a lost network or its time limit, is answered at once and closes its connection.
//! Servers are asked not to compress bodies; gzip and deflate are undone all the same.
//!
//! The HTTP cache is a private one as in RFC 9111, in memory and of bounded size, apart for each
//! top-level site; each request says how it takes part ([`CacheMode`]), and each response whether it
//! came out of it. Cookies are those of RFC 6265bis, and last as long as the component: what has no
//! `SameSite` is `Lax`, and names and sites are told apart by the list of public suffixes. What a
//! `Clear-Site-Data` header names is forgotten. How old anything is, the embedder's clock says.
//!
//! Whoever asks is named in each request ([`RequestOrigin`]), with the documents around: `SameSite`,
//! `Sec-Fetch-Site`, `Origin`, the referrer and the part of the cache follow from it. Pages of https
//! get nothing over insecure connections, and servers may keep what they have from other origins
//! (`Cross-Origin-Resource-Policy`).
//!
//! What is not there: HTTP authentication, proxies (the environment is not read), HTTP/2, `blob:`
//! URLs, and a memory of preflights. The cache keeps one response for each URL, of those that vary
//! the last one, and no partial ones.
//!
//! Whether the network is there is not asked before a fetch: a fetch that fails finds out. Only
//! emulated offline is, because the network itself would not notice it, for the engine and for the
//! service worker registration on whose behalf a fetch is; URLs that need no network (`data:`,
//! `about:blank`) work all the same. What a fetch has shown about its origin is reported
//! to the network monitor.

mod cache;
mod clear_site_data;
mod config;
mod control;
mod cookies;
mod cors;
mod encoding;
mod error;
mod fetch;
mod handle;
mod headers;
mod http;
mod local;
mod mime;
mod ports;
mod redirect;
mod referrer;
mod request;
mod response;
mod site;
mod thread;
mod withheld;

pub use config::NetConfig;
pub use error::{FetchError, FetchErrorKind};
pub use handle::{FetchId, NetHandle, NetMessage};
pub use mime::is_javascript_mime_type;
pub use referrer::ReferrerPolicy;
pub use request::{
    CacheMode, CredentialsMode, Destination, RedirectMode, Request, RequestMode, RequestOrigin,
};
pub use response::{FetchResult, Response, ResponseType};
pub use site::is_same_site;
pub use thread::{Net, NetServices, NetStartError};
