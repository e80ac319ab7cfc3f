//! The blob URLs of an engine.
//!
//! <https://w3c.github.io/FileAPI/#blob-url>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::StorageKey;
use base::ids::ClientId;
use net::{Request, Response, ResponseType};
use parking_lot::Mutex;
use url::Url;
use uuid::Uuid;

use crate::bindings::Realm;
use crate::dom::blob::Blob;
use crate::environment::Environment;

/// <https://w3c.github.io/FileAPI/#BlobURLStore>
#[derive(Clone, Default)]
pub(crate) struct BlobUrlStore(Arc<Mutex<BTreeMap<String, BlobUrlEntry>>>);

/// <https://w3c.github.io/FileAPI/#blob-url-entry>
#[derive(Clone)]
pub(crate) struct BlobUrlEntry {
    pub(crate) bytes: Arc<[u8]>,
    content_type: String,
    origin: Option<StorageKey>,
    owner: ClientId,
}

impl BlobUrlStore {
    /// <https://w3c.github.io/FileAPI/#add-an-entry>
    pub(crate) fn add(&self, environment: &Environment, blob: &Blob) -> String {
        let url = format!(
            "blob:{}/{}",
            environment.serialized_origin(),
            Uuid::new_v4()
        );
        let entry = BlobUrlEntry {
            bytes: blob.bytes().into(),
            content_type: blob.media_type().to_string(),
            origin: environment.origin.clone(),
            owner: environment.client,
        };
        self.0.lock().insert(url.clone(), entry);
        url
    }

    /// <https://w3c.github.io/FileAPI/#dfn-revokeObjectURL>
    pub(crate) fn revoke(&self, environment: &Environment, url: &Url) {
        let mut entries = self.0.lock();
        let url = url.as_str();
        if entries
            .get(url)
            .is_some_and(|entry| entry.origin == environment.origin)
        {
            entries.remove(url);
        }
    }

    /// The entry of a URL, whatever its fragment is.
    ///
    /// <https://w3c.github.io/FileAPI/#blob-url-resolve>
    pub(crate) fn resolve(&self, url: &Url) -> Option<BlobUrlEntry> {
        if url.scheme() != "blob" {
            return None;
        }
        let mut url = url.clone();
        url.set_fragment(None);
        self.0.lock().get(url.as_str()).cloned()
    }

    /// The response to a request, if it is for an entry that its origin may read. Ranges are not
    /// looked at.
    ///
    /// <https://fetch.spec.whatwg.org/#scheme-fetch>
    pub(crate) fn fetch(&self, request: &Request) -> Option<Response> {
        let entry = self.resolve(&request.url)?;
        let may = request.method == "GET" && entry.is_of(request.origin.tuple());
        may.then(|| entry.response(&request.url))
    }
}

impl BlobUrlEntry {
    /// Whether it was made in this origin.
    pub(crate) fn is_of(&self, origin: Option<&StorageKey>) -> bool {
        self.origin.as_ref() == origin
    }

    /// Whether this client has made it.
    pub(crate) fn is_owned_by(&self, client: ClientId) -> bool {
        self.owner == client
    }

    /// What a fetch of it brings.
    pub(crate) fn response(&self, url: &Url) -> Response {
        let entry = self.clone();
        let length = entry.bytes.len().to_string();
        let headers = [
            ("content-length", length),
            ("content-type", entry.content_type),
        ];
        Response {
            response_type: ResponseType::Basic,
            url: Some(url.clone()),
            redirected: false,
            redirects: Vec::new(),
            from_cache: false,
            status: 200,
            status_text: "OK".to_owned(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into_bytes()))
                .collect(),
            body: entry.bytes.to_vec(),
            internal: None,
        }
    }
}

impl std::fmt::Debug for BlobUrlEntry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BlobUrlEntry")
            .field("size", &self.bytes.len())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// Removes what a realm that goes away has added.
///
/// <https://w3c.github.io/FileAPI/#lifeTime>
pub(crate) fn detach(realm: &Realm) {
    if let Ok(environment) = Environment::of(realm) {
        let store = &environment.services.user_agent.blob_urls;
        store
            .0
            .lock()
            .retain(|_, entry| entry.owner != environment.client);
    }
}
