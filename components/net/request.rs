use std::time::Duration;

use base::StorageKey;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::referrer::ReferrerPolicy;

/// What to fetch, and by which rules.
///
/// What scripts may not set (forbidden methods and headers, credentials in a URL) is kept out
/// before a request gets here.
///
/// <https://fetch.spec.whatwg.org/#concept-request>
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The method, already normalized.
    pub method: String,
    /// What to fetch.
    pub url: Url,
    /// The URLs that led to `url`, in their order, where the caller follows
    /// [redirects](Self::redirected) itself.
    pub redirected_from: Vec<Url>,
    /// Names and values, in order. Those that the browser itself adds are not among them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; `None` is another thing than an empty one.
    pub body: Option<Vec<u8>>,
    /// By which rules origins are kept apart.
    pub mode: RequestMode,
    /// Whether credentials, which are cookies, go along and are taken.
    pub credentials: CredentialsMode,
    /// What to do with a redirect.
    pub redirect: RedirectMode,
    /// How the HTTP cache takes part.
    pub cache: CacheMode,
    /// Who asks.
    pub origin: RequestOrigin,
    /// The origins of the documents in which the requester is, from the inside to the outside, as
    /// with `Location.ancestorOrigins`; `None` is an opaque one. Cookies depend on the sites of all,
    /// the HTTP cache on that of the last.
    pub ancestor_origins: Vec<Option<StorageKey>>,
    /// Whether it is a navigation that the user has set off.
    pub user_activation: bool,
    /// The scope of the service worker registration whose worker asks, if one does; its storage key
    /// is [`origin`](Self::origin). While being offline is emulated for this registration, the fetch
    /// fails.
    pub registration_scope: Option<Url>,
    /// What the response is for.
    pub destination: Destination,
    /// The URL of the document or worker that asks, if it may be told.
    pub referrer: Option<Url>,
    /// How much of the referrer is sent, until a redirect says otherwise.
    pub referrer_policy: ReferrerPolicy,
    /// How long the whole fetch may take, redirects and body included, from when it gets its turn.
    /// `None` takes the limit of the configuration.
    pub time_limit: Option<Duration>,
}

impl Request {
    /// A `GET` with the defaults of the standard, on behalf of nobody.
    pub fn new(url: Url) -> Self {
        Self {
            method: "GET".to_owned(),
            url,
            redirected_from: Vec::new(),
            headers: Vec::new(),
            body: None,
            mode: RequestMode::default(),
            credentials: CredentialsMode::default(),
            redirect: RedirectMode::default(),
            cache: CacheMode::default(),
            origin: RequestOrigin::default(),
            ancestor_origins: Vec::new(),
            user_activation: false,
            registration_scope: None,
            destination: Destination::default(),
            referrer: None,
            referrer_policy: ReferrerPolicy::default(),
            time_limit: None,
        }
    }

    /// The service worker registration on whose behalf it is: its storage key and its scope.
    pub(crate) fn registration(&self) -> Option<Registration> {
        let origin = self.origin.tuple().cloned();
        origin.zip(self.registration_scope.clone())
    }
}

/// Who asks for something.
///
/// <https://fetch.spec.whatwg.org/#concept-request-origin>
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum RequestOrigin {
    /// The user, who enters an address or opens a bookmark; for navigations alone.
    User,
    /// An opaque origin, which is of no site.
    #[default]
    Opaque,
    /// An origin with scheme, host and port.
    Tuple(StorageKey),
}

impl RequestOrigin {
    /// Scheme, host and port, if there are any.
    pub fn tuple(&self) -> Option<&StorageKey> {
        match self {
            Self::Tuple(origin) => Some(origin),
            Self::User | Self::Opaque => None,
        }
    }
}

impl From<Option<StorageKey>> for RequestOrigin {
    /// The origin of a document or worker; `None` is an opaque one.
    fn from(origin: Option<StorageKey>) -> Self {
        origin.map_or(Self::Opaque, Self::Tuple)
    }
}

/// A service worker registration: its storage key and its scope.
pub(crate) type Registration = (StorageKey, Url);

/// <https://fetch.spec.whatwg.org/#concept-request-mode>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum RequestMode {
    /// Other origins decide whether the requester may read.
    Cors,
    /// The requester may not read what other origins send.
    #[default]
    NoCors,
    /// Other origins are not asked.
    SameOrigin,
    /// For documents: any origin.
    Navigate,
}

impl RequestMode {
    /// The name that scripts and servers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cors => "cors",
            Self::NoCors => "no-cors",
            Self::SameOrigin => "same-origin",
            Self::Navigate => "navigate",
        }
    }
}

/// <https://fetch.spec.whatwg.org/#concept-request-credentials-mode>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum CredentialsMode {
    /// Never.
    Omit,
    /// To the requester's own origin.
    #[default]
    SameOrigin,
    /// To every origin.
    Include,
}

impl CredentialsMode {
    /// The name that scripts see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Omit => "omit",
            Self::SameOrigin => "same-origin",
            Self::Include => "include",
        }
    }
}

/// <https://fetch.spec.whatwg.org/#concept-request-redirect-mode>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum RedirectMode {
    /// Follow it.
    #[default]
    Follow,
    /// It is an error.
    Error,
    /// Hand it over, in a form that scripts cannot look into.
    Manual,
}

impl RedirectMode {
    /// The name that scripts see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Error => "error",
            Self::Manual => "manual",
        }
    }
}

/// How the HTTP cache takes part.
///
/// <https://fetch.spec.whatwg.org/#concept-request-cache-mode>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum CacheMode {
    /// What is fresh is used; what is stale is validated.
    #[default]
    Default,
    /// Nothing is used, nothing is stored, and caches on the way are told to do the same.
    NoStore,
    /// Nothing is used, but the response is stored.
    Reload,
    /// What there is is validated, fresh or not.
    NoCache,
    /// What there is is used, fresh or not.
    ForceCache,
    /// What there is is used, fresh or not; without it the fetch fails.
    OnlyIfCached,
}

impl CacheMode {
    /// The name that scripts see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::NoStore => "no-store",
            Self::Reload => "reload",
            Self::NoCache => "no-cache",
            Self::ForceCache => "force-cache",
            Self::OnlyIfCached => "only-if-cached",
        }
    }
}

/// <https://fetch.spec.whatwg.org/#concept-request-destination>
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum Destination {
    /// `fetch()` and the like.
    #[default]
    Empty,
    /// A page.
    Document,
    /// A frame in a page.
    Iframe,
    /// A script of a page, or one that a worker imports.
    Script,
    /// The script of a service worker.
    ServiceWorker,
    /// The script of a dedicated worker.
    Worker,
    /// The script of a shared worker.
    SharedWorker,
}

impl Destination {
    /// What the browser says that it accepts, unless a script does.
    ///
    /// <https://fetch.spec.whatwg.org/#fetching>, step 13.
    pub const fn accept(self) -> &'static str {
        match self {
            Self::Document | Self::Iframe => {
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
            }
            _ => "*/*",
        }
    }

    /// The name that servers see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Document => "document",
            Self::Iframe => "iframe",
            Self::Script => "script",
            Self::ServiceWorker => "serviceworker",
            Self::Worker => "worker",
            Self::SharedWorker => "sharedworker",
        }
    }
}
