//! Data that pages send on their way out.
//!
//! <https://w3c.github.io/beacon/>

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::channel::Callback;
use net::FetchResult;

use crate::bindings::generated::{
    BlobOrBufferSourceOrFormDataOrUrlSearchParamsOrUsvString as BodyInit, RequestCredentials,
    RequestInit, RequestMethods, RequestMode, RequestOrUsvString,
};
use crate::bindings::{ByteString, Error, Fallible, Realm};
use crate::dom::request::Request;
use crate::environment::Environment;
use crate::fetch::body::extract;

/// How many bytes of a page may be under way at once.
///
/// <https://fetch.spec.whatwg.org/#http-network-or-cache-fetch>
const MAX_UNDER_WAY: usize = 64 * 1024;

/// How many bytes of a page are under way. A service of its realm.
#[derive(Default)]
struct UnderWay(Arc<AtomicUsize>);

/// Whether another origin may be sent this type without being asked.
///
/// <https://fetch.spec.whatwg.org/#cors-safelisted-request-header>
fn is_simple(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let simple = [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ];
    simple.iter().any(|own| own.eq_ignore_ascii_case(essence))
}

/// The request is sent whatever becomes of the page. No service worker sees it.
///
/// <https://w3c.github.io/beacon/#dom-navigator-sendbeacon>
///
/// # Errors
///
/// A `TypeError` for what is no URL of a server.
pub(crate) fn send(realm: &Realm, url: &str, data: Option<BodyInit>) -> Fallible<bool> {
    let environment = Environment::of(realm)?;
    // Step 3 and 4: the URL.
    let parsed = environment.parse_url(url)?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(Error::Type("Beacons are only sent to servers.".to_owned()));
    }
    // Step 6: what is sent, and not too much of it.
    let extracted = data.as_ref().map(|data| extract(realm, data));
    let extracted = extracted.transpose()?;
    let (size, mode) = extracted.map_or((0, RequestMode::NoCors), |(body, content_type)| {
        let size = body.bytes().map_or(0, |bytes| bytes.len());
        let is_simple = content_type.is_none_or(|content_type| is_simple(&content_type));
        let mode = if is_simple {
            RequestMode::NoCors
        } else {
            RequestMode::Cors
        };
        (size, mode)
    });
    let under_way = under_way(realm);
    if under_way.load(Ordering::Relaxed).saturating_add(size) > MAX_UNDER_WAY {
        return Ok(false);
    }
    // Step 7: it is sent, and nobody waits for the answer.
    let init = RequestInit {
        method: Some(ByteString::from("POST")),
        body: data.map(Some),
        mode: Some(mode),
        credentials: Some(RequestCredentials::Include),
        ..RequestInit::default()
    };
    let input = RequestOrUsvString::UsvString(parsed.as_str().into());
    let request = <Request as RequestMethods>::constructor(realm, input, init)?;
    under_way.fetch_add(size, Ordering::Relaxed);
    let done = Callback::new(move |_: FetchResult| {
        under_way.fetch_sub(size, Ordering::Relaxed);
    });
    let request = request.to_net(&environment)?;
    environment.services.net.fetch(request, done);
    Ok(true)
}

fn under_way(realm: &Realm) -> Arc<AtomicUsize> {
    if let Some(own) = realm.service::<UnderWay>() {
        return Arc::clone(&own.0);
    }
    let own = UnderWay::default();
    let count = Arc::clone(&own.0);
    realm.add_service(Rc::new(own));
    count
}
