//! The environment that a realm's scripts run in.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use base::StorageKey;
use base::exception::DomExceptionName;
use base::ids::ClientId;
use net::ReferrerPolicy;
use url::Url;

use crate::bindings::{Error, Fallible, Realm};
use crate::services::Services;

/// Where something comes from.
///
/// <https://html.spec.whatwg.org/multipage/browsers.html#concept-origin>
#[derive(Clone, Debug)]
pub struct Origin {
    tuple: Option<StorageKey>,
    /// What makes an opaque origin the same as itself only.
    identity: Rc<()>,
}

impl Origin {
    /// An opaque origin that is the same as no other.
    pub(crate) fn opaque() -> Self {
        Self {
            tuple: None,
            identity: Rc::default(),
        }
    }

    /// The origin of a URL; that of a `blob:` URL is the one inside it.
    pub(crate) fn of_url(url: &Url) -> Self {
        let inner = (url.scheme() == "blob")
            .then(|| Url::parse(url.path()).ok())
            .flatten();
        Self {
            tuple: StorageKey::from_url(inner.as_ref().unwrap_or(url)).ok(),
            identity: Rc::default(),
        }
    }

    /// Scheme, host and port; none for an opaque one.
    pub(crate) fn tuple(&self) -> Option<&StorageKey> {
        self.tuple.as_ref()
    }

    /// <https://html.spec.whatwg.org/multipage/browsers.html#same-origin>
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.tuple, &other.tuple) {
            (Some(own), Some(other)) => own == other,
            (None, None) => Rc::ptr_eq(&self.identity, &other.identity),
            _ => false,
        }
    }
}

/// What a realm's platform objects know of the page or worker that they belong to. A service of
/// the realm: see [`Realm::service`].
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#environment-settings-object>
pub struct Environment {
    /// The id under which it is a service worker client.
    pub client: ClientId,
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#concept-environment-creation-url>
    pub creation_url: Url,
    /// Its origin, with the identity of an opaque one.
    pub(crate) full_origin: Origin,
    /// Its origin; `None` is an opaque one.
    pub origin: Option<StorageKey>,
    /// The origins of the documents around it, the top-level one's last; `None` is an opaque one.
    /// Those of a worker are those of whoever started it.
    pub(crate) ancestor_origins: Vec<Option<StorageKey>>,
    /// The scope of the service worker registration that it belongs to, if it is a service worker's.
    pub registration_scope: Option<Url>,
    /// The components that its scripts reach.
    pub services: Services,
    base_url: RefCell<Url>,
    referrer_source: RefCell<Option<Url>>,
    referrer_policy: Cell<ReferrerPolicy>,
}

impl Environment {
    /// The environment of a document or worker script at this URL.
    pub fn new(client: ClientId, creation_url: Url, services: Services) -> Self {
        let full_origin = Origin::of_url(&creation_url);
        Self {
            client,
            origin: full_origin.tuple.clone(),
            full_origin,
            ancestor_origins: Vec::new(),
            registration_scope: None,
            services,
            base_url: RefCell::new(creation_url.clone()),
            referrer_source: RefCell::new(Some(creation_url.clone())),
            referrer_policy: Cell::default(),
            creation_url,
        }
    }

    /// The environment of the script of a service worker, whose registration has this scope.
    pub fn of_service_worker(
        client: ClientId,
        script_url: Url,
        registration_scope: Url,
        services: Services,
    ) -> Self {
        Self {
            registration_scope: Some(registration_scope),
            ..Self::new(client, script_url, services)
        }
    }

    /// The environment of a dedicated or shared worker, whose origin is not always that of its URL.
    pub(crate) fn of_worker(
        client: ClientId,
        url: Url,
        origin: Option<StorageKey>,
        services: Services,
    ) -> Self {
        Self {
            full_origin: Origin {
                tuple: origin.clone(),
                identity: Rc::default(),
            },
            origin,
            ..Self::new(client, url, services)
        }
    }

    /// With an origin and a base URL that are not those of its URL.
    pub(crate) fn inherited(self, origin: Origin, base_url: Url) -> Self {
        if origin.tuple.is_none() {
            self.referrer_source.take();
        }
        Self {
            origin: origin.tuple.clone(),
            full_origin: origin,
            base_url: RefCell::new(base_url),
            ..self
        }
    }

    /// In documents of these origins.
    pub(crate) fn within(self, ancestor_origins: Vec<Option<StorageKey>>) -> Self {
        Self {
            ancestor_origins,
            ..self
        }
    }

    /// Whether all pages around it are of the site of a URL, for which cookies are wanted.
    ///
    /// <https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-document-based-requests>
    pub(crate) fn is_in_site_of(&self, url: &Url) -> bool {
        let is_own = |origin: &StorageKey| net::is_same_site(origin, url);
        let mut around = self.ancestor_origins.iter();
        around.all(|origin| origin.as_ref().is_some_and(is_own))
    }

    /// The service worker registration that it belongs to, if it is a service worker's: its storage
    /// key and its scope.
    pub(crate) fn registration(&self) -> Option<(StorageKey, Url)> {
        self.origin.clone().zip(self.registration_scope.clone())
    }

    /// The environment of a realm.
    ///
    /// # Errors
    ///
    /// `InvalidStateError` when the realm has none, as in a test of single bindings.
    pub fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        realm.service().ok_or_else(|| {
            let message = "The global object belongs to no page or worker.";
            Error::dom(DomExceptionName::InvalidStateError, message)
        })
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#api-base-url>
    pub fn base_url(&self) -> Url {
        self.base_url.borrow().clone()
    }

    /// The document's URL, or its `base` element, has changed.
    pub(crate) fn set_base_url(&self, url: Url) {
        self.base_url.replace(url);
    }

    /// The URL that its requests tell of, as far as the policy lets them. Documents with an opaque
    /// origin tell nothing.
    ///
    /// <https://w3c.github.io/webappsec-referrer-policy/#determine-requests-referrer>, step 3
    pub(crate) fn referrer_source(&self) -> Option<Url> {
        self.referrer_source.borrow().clone()
    }

    /// Its requests tell of this URL from now on, if they tell anything.
    pub(crate) fn set_referrer_source(&self, url: Url) {
        if let Some(source) = &mut *self.referrer_source.borrow_mut() {
            *source = url;
        }
    }

    /// How much of its URL its requests tell, unless they say themselves.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#concept-settings-object-policy-container>
    pub fn referrer_policy(&self) -> ReferrerPolicy {
        self.referrer_policy.get()
    }

    pub(crate) fn set_referrer_policy(&self, policy: ReferrerPolicy) {
        self.referrer_policy.set(policy);
    }

    /// Takes the policy of a `Referrer-Policy` header, if it has one.
    pub(crate) fn take_referrer_policy(&self, header: &str) {
        if let Some(policy) = ReferrerPolicy::from_header(header) {
            self.referrer_policy.set(policy);
        }
    }

    /// The origin as scripts see it.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin>
    pub fn serialized_origin(&self) -> String {
        self.origin
            .as_ref()
            .map_or_else(|| "null".to_owned(), ToString::to_string)
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#encoding-parsing-a-url>
    ///
    /// # Errors
    ///
    /// A `TypeError` when the text is not a URL.
    pub fn parse_url(&self, text: &str) -> Fallible<Url> {
        self.base_url
            .borrow()
            .join(text)
            .map_err(|error| Error::Type(format!("\"{text}\" is not a valid URL: {error}.")))
    }
}
