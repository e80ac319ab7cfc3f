//! <https://fetch.spec.whatwg.org/#request-class>

use cache_storage::StoredRequest;
use net::CacheMode;
use sw_traits::FetchRequest;
use url::Url;

use super::abort_signal::AbortSignal;
use super::headers::{Guard, Headers};
use crate::bindings::generated::{
    ReferrerPolicy, RequestCache, RequestCredentials, RequestDestination, RequestInit,
    RequestMethods, RequestMode, RequestOrUsvString, RequestRedirect,
};
use crate::bindings::{ByteString, Dom, Error, Fallible, NoTrace, Realm, Reflector, UsvString};
use crate::environment::Environment;
use crate::fetch::body::{Body, HasBody, extract};
use crate::fetch::header_rules::{is_forbidden_method, is_token, normalized_method};

/// <https://fetch.spec.whatwg.org/#concept-request-referrer>
#[derive(Clone, Debug, Eq, PartialEq)]
enum Referrer {
    None,
    /// The document or worker itself.
    Client,
    Url(Url),
}

dom_struct! {
    /// <https://fetch.spec.whatwg.org/#request-class>
    pub struct Request {
        pub(crate) reflector: Reflector,
        settings: NoTrace<Settings>,
        headers: Dom<Headers>,
        body: Body,
        signal: Dom<AbortSignal>,
    }
}

/// All of a request that is plain data.
#[derive(Clone)]
struct Settings {
    method: String,
    url: Url,
    mode: RequestMode,
    credentials: RequestCredentials,
    cache: RequestCache,
    redirect: RequestRedirect,
    referrer: Referrer,
    referrer_policy: ReferrerPolicy,
    destination: RequestDestination,
}

impl Settings {
    fn new(url: Url) -> Self {
        Self {
            method: "GET".to_owned(),
            url,
            mode: RequestMode::Cors,
            credentials: RequestCredentials::SameOrigin,
            cache: RequestCache::Default,
            redirect: RequestRedirect::Follow,
            referrer: Referrer::Client,
            referrer_policy: ReferrerPolicy::Empty,
            destination: RequestDestination::Empty,
        }
    }

    /// Steps 12 to 25 of the constructor.
    fn apply(&mut self, environment: &Environment, init: &RequestInit) -> Fallible<()> {
        if let Some(referrer) = &init.referrer {
            self.referrer = parse_referrer(environment, referrer)?;
        }
        // Step 15
        self.referrer_policy = init.referrer_policy.unwrap_or(self.referrer_policy);
        match init.mode {
            Some(RequestMode::Navigate) => {
                let message = "A script cannot make a request with the mode \"navigate\".";
                return Err(Error::Type(message.to_owned()));
            }
            Some(mode) => self.mode = mode,
            None => {}
        }
        self.credentials = init.credentials.unwrap_or(self.credentials);
        self.cache = init.cache.unwrap_or(self.cache);
        if self.cache == RequestCache::OnlyIfCached && self.mode != RequestMode::SameOrigin {
            let message = "The cache mode \"only-if-cached\" needs the mode \"same-origin\".";
            return Err(Error::Type(message.to_owned()));
        }
        self.redirect = init.redirect.unwrap_or(self.redirect);
        if let Some(method) = &init.method {
            let text = String::from_utf8_lossy(method).into_owned();
            if !is_token(method) {
                return Err(Error::Type(format!("\"{text}\" is not an HTTP method.")));
            }
            if is_forbidden_method(&text) {
                let message = format!("The method {text} cannot be used by scripts.");
                return Err(Error::Type(message));
            }
            self.method = normalized_method(&text);
        }
        Ok(())
    }
}

/// Step 14 of the constructor.
fn parse_referrer(environment: &Environment, text: &str) -> Fallible<Referrer> {
    if text.is_empty() {
        return Ok(Referrer::None);
    }
    let url = environment.parse_url(text)?;
    let is_client = url.scheme() == "about" && url.path() == "client";
    let is_own = environment
        .origin
        .as_ref()
        .is_some_and(|origin| origin.contains(&url));
    Ok(if is_client || !is_own {
        Referrer::Client
    } else {
        Referrer::Url(url)
    })
}

fn is_empty(init: &RequestInit) -> bool {
    init.method.is_none()
        && init.headers.is_none()
        && init.body.is_none()
        && init.referrer.is_none()
        && init.referrer_policy.is_none()
        && init.mode.is_none()
        && init.credentials.is_none()
        && init.cache.is_none()
        && init.redirect.is_none()
        && init.signal.is_none()
        && init.window.is_none()
}

impl Request {
    /// The signal with which it can be aborted.
    pub fn abort_signal(&self) -> &Dom<AbortSignal> {
        &self.signal
    }

    /// The request as the network component takes it. Its body counts as read.
    ///
    /// # Errors
    ///
    /// A `TypeError` if the body was read before.
    pub fn to_net(&self, environment: &Environment) -> Fallible<net::Request> {
        let settings = &self.settings;
        let body = self.body.consume()?.map(|bytes| bytes.to_vec());
        Ok(net::Request {
            method: settings.method.clone(),
            headers: self.headers.list(),
            body,
            mode: match settings.mode {
                RequestMode::Cors => net::RequestMode::Cors,
                RequestMode::NoCors => net::RequestMode::NoCors,
                RequestMode::SameOrigin => net::RequestMode::SameOrigin,
                RequestMode::Navigate => net::RequestMode::Navigate,
            },
            credentials: match settings.credentials {
                RequestCredentials::Omit => net::CredentialsMode::Omit,
                RequestCredentials::SameOrigin => net::CredentialsMode::SameOrigin,
                RequestCredentials::Include => net::CredentialsMode::Include,
            },
            redirect: match settings.redirect {
                RequestRedirect::Follow => net::RedirectMode::Follow,
                RequestRedirect::Error => net::RedirectMode::Error,
                RequestRedirect::Manual => net::RedirectMode::Manual,
            },
            cache: match settings.cache {
                RequestCache::Default => CacheMode::Default,
                RequestCache::NoStore => CacheMode::NoStore,
                RequestCache::Reload => CacheMode::Reload,
                RequestCache::NoCache => CacheMode::NoCache,
                RequestCache::ForceCache => CacheMode::ForceCache,
                RequestCache::OnlyIfCached => CacheMode::OnlyIfCached,
            },
            origin: environment.origin.clone().into(),
            ancestor_origins: environment.ancestor_origins.clone(),
            registration_scope: environment.registration_scope.clone(),
            referrer: match &settings.referrer {
                Referrer::None => None,
                Referrer::Client => environment.referrer_source(),
                Referrer::Url(url) => Some(url.clone()),
            },
            // The empty one is the document's or worker's own.
            referrer_policy: net::ReferrerPolicy::parse(settings.referrer_policy.as_str())
                .unwrap_or_else(|| environment.referrer_policy()),
            ..net::Request::new(settings.url.clone())
        })
    }

    /// The request as it is stored in a cache.
    pub(crate) fn stored(&self) -> StoredRequest {
        let settings = &self.settings;
        StoredRequest {
            method: settings.method.clone(),
            url: settings.url.clone(),
            headers: self.headers.list(),
            mode: settings.mode.as_str().to_owned(),
            credentials: settings.credentials.as_str().to_owned(),
            cache: settings.cache.as_str().to_owned(),
            redirect: settings.redirect.as_str().to_owned(),
            referrer: match &settings.referrer {
                Referrer::None => String::new(),
                Referrer::Client => "about:client".to_owned(),
                Referrer::Url(url) => url.to_string(),
            },
        }
    }

    /// A request that was stored in a cache.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn from_stored(realm: &Realm, stored: StoredRequest) -> Fallible<Dom<Self>> {
        let word = |word: &str| realm.new_string(word);
        let settings = Settings {
            method: stored.method,
            url: stored.url,
            mode: RequestMode::from_js(realm, &word(&stored.mode)?)?,
            credentials: RequestCredentials::from_js(realm, &word(&stored.credentials)?)?,
            cache: RequestCache::from_js(realm, &word(&stored.cache)?)?,
            redirect: RequestRedirect::from_js(realm, &word(&stored.redirect)?)?,
            referrer: match Url::parse(&stored.referrer) {
                Ok(url) if url.scheme() == "about" => Referrer::Client,
                Ok(url) => Referrer::Url(url),
                Err(_) => Referrer::None,
            },
            referrer_policy: ReferrerPolicy::Empty,
            destination: RequestDestination::Empty,
        };
        let headers = Headers::new(realm, stored.headers, Guard::Immutable)?;
        let signal = AbortSignal::dependent(realm, &[])?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                settings: NoTrace(settings),
                headers,
                body: Body::default(),
                signal,
            },
        )
    }

    /// The request of a `fetch` event.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn from_event(realm: &Realm, request: FetchRequest) -> Fallible<Dom<Self>> {
        let word = |word: &str| realm.new_string(word);
        let settings = Settings {
            mode: RequestMode::from_js(realm, &word(&request.mode)?)?,
            credentials: RequestCredentials::from_js(realm, &word(&request.credentials)?)?,
            cache: RequestCache::from_js(realm, &word(&request.cache)?)?,
            redirect: RequestRedirect::from_js(realm, &word(&request.redirect)?)?,
            referrer: Url::parse(&request.referrer).map_or(Referrer::None, Referrer::Url),
            referrer_policy: ReferrerPolicy::from_js(realm, &word(&request.referrer_policy)?)?,
            destination: RequestDestination::from_js(realm, &word(&request.destination)?)?,
            method: request.method,
            url: request.url,
        };
        let headers = Headers::new(realm, request.headers, Guard::Immutable)?;
        let signal = AbortSignal::dependent(realm, &[])?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                settings: NoTrace(settings),
                headers,
                body: request.body.map_or_else(Body::default, Body::new),
                signal,
            },
        )
    }

    /// The URL.
    pub fn request_url(&self) -> &Url {
        &self.settings.url
    }
}

impl HasBody for Request {
    fn body(&self) -> &Body {
        &self.body
    }

    fn body_type(&self) -> Option<Vec<u8>> {
        self.headers.value_of("content-type")
    }
}

impl RequestMethods for Request {
    /// <https://fetch.spec.whatwg.org/#dom-request>
    fn constructor(
        realm: &Realm,
        input: RequestOrUsvString,
        init: RequestInit,
    ) -> Fallible<Dom<Self>> {
        let environment = Environment::of(realm)?;
        // Steps 5 and 6.
        let (mut settings, input) = match input {
            RequestOrUsvString::UsvString(text) => {
                let url = environment.parse_url(&text)?;
                if !url.username().is_empty() || url.password().is_some() {
                    let message = format!("The URL {url} has a user name or password in it.");
                    return Err(Error::Type(message));
                }
                (Settings::new(url), None)
            }
            RequestOrUsvString::Request(request) => {
                let settings = Settings {
                    destination: RequestDestination::Empty,
                    ..request.settings.0.clone()
                };
                (settings, Some(request))
            }
        };
        // Step 13.
        if !is_empty(&init) {
            if settings.mode == RequestMode::Navigate {
                settings.mode = RequestMode::SameOrigin;
            }
            settings.referrer = Referrer::Client;
            settings.referrer_policy = ReferrerPolicy::Empty;
        }
        settings.apply(&environment, &init)?;
        // Steps 26 to 30.
        let signal = match &init.signal {
            Some(signal) => signal.clone(),
            None => input.as_ref().map(|input| input.signal.clone()),
        };
        let signal = AbortSignal::dependent(realm, signal.as_slice())?;
        // Steps 31 to 33.
        let guard = if settings.mode == RequestMode::NoCors {
            if !matches!(settings.method.as_str(), "GET" | "HEAD" | "POST") {
                let message = "With the mode \"no-cors\" the method can only be GET, HEAD or POST.";
                return Err(Error::Type(message.to_owned()));
            }
            Guard::RequestNoCors
        } else {
            Guard::Request
        };
        let headers = Headers::new(realm, Vec::new(), guard)?;
        match init.headers {
            Some(init) => headers.fill(init)?,
            None => {
                for (name, value) in input.iter().flat_map(|input| input.headers.list()) {
                    headers.append_header(name.as_bytes(), &value)?;
                }
            }
        }
        // Steps 34 to 41.
        let init_body = init.body.flatten();
        let has_body =
            init_body.is_some() || input.as_ref().is_some_and(|input| !input.body.is_null());
        if has_body && matches!(settings.method.as_str(), "GET" | "HEAD") {
            let message = "A request with the method GET or HEAD cannot have a body.";
            return Err(Error::Type(message.to_owned()));
        }
        let body = match (init_body, input) {
            (Some(init), _) => {
                let (body, type_) = extract(realm, &init)?;
                if let Some(type_) = type_
                    && !headers.contains("content-type")
                {
                    headers.append_header(b"Content-Type", type_.as_bytes())?;
                }
                body
            }
            (None, Some(input)) => {
                let bytes = input.body.consume()?;
                bytes.map_or_else(Body::default, |bytes| Body::new(bytes.to_vec()))
            }
            (None, None) => Body::default(),
        };
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                settings: NoTrace(settings),
                headers,
                body,
                signal,
            },
        )
    }

    fn method(&self, _: &Realm) -> ByteString {
        ByteString::from(self.settings.method.as_str())
    }

    fn url(&self, _: &Realm) -> UsvString {
        self.settings.url.as_str().into()
    }

    fn headers(&self, _: &Realm) -> Dom<Headers> {
        self.headers.clone()
    }

    fn destination(&self, _: &Realm) -> RequestDestination {
        self.settings.destination
    }

    fn referrer(&self, _: &Realm) -> UsvString {
        match &self.settings.referrer {
            Referrer::None => "".into(),
            Referrer::Client => "about:client".into(),
            Referrer::Url(url) => url.as_str().into(),
        }
    }

    fn referrer_policy(&self, _: &Realm) -> ReferrerPolicy {
        self.settings.referrer_policy
    }

    fn mode(&self, _: &Realm) -> RequestMode {
        self.settings.mode
    }

    fn credentials(&self, _: &Realm) -> RequestCredentials {
        self.settings.credentials
    }

    fn cache(&self, _: &Realm) -> RequestCache {
        self.settings.cache
    }

    fn redirect(&self, _: &Realm) -> RequestRedirect {
        self.settings.redirect
    }

    fn signal(&self, _: &Realm) -> Dom<AbortSignal> {
        self.signal.clone()
    }

    /// <https://fetch.spec.whatwg.org/#dom-request-clone>
    fn clone(&self, realm: &Realm) -> Fallible<Dom<Self>> {
        let body = self.body.try_clone()?;
        let headers = Headers::new(realm, self.headers.list(), self.headers.guard())?;
        let signal = AbortSignal::dependent(realm, std::slice::from_ref(&self.signal))?;
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                settings: self.settings.clone(),
                headers,
                body,
                signal,
            },
        )
    }
}
