//! <https://fetch.spec.whatwg.org/#response-class>

use std::rc::Rc;

use cache_storage::StoredResponse;
use sw_traits::FetchResponse;
use url::Url;

use super::headers::{Guard, Headers};
use crate::bindings::generated::{
    BlobOrBufferSourceOrFormDataOrUrlSearchParamsOrUsvString as BodyInit, ResponseInit,
    ResponseMethods, ResponseType,
};
use crate::bindings::{
    ByteString, Dom, Error, Fallible, NoTrace, Realm, Reflector, UsvString, Value,
};
use crate::environment::Environment;
use crate::fetch::body::{Body, HasBody, extract};
use crate::fetch::conversion;

dom_struct! {
    /// <https://fetch.spec.whatwg.org/#response-class>
    pub struct Response {
        pub(crate) reflector: Reflector,
        settings: NoTrace<Settings>,
        headers: Dom<Headers>,
        body: Body,
    }
}

/// All of a response that is plain data.
#[derive(Clone)]
struct Settings {
    type_: ResponseType,
    url: Option<Url>,
    redirected: bool,
    status: u16,
    status_text: Vec<u8>,
    /// What is behind an opaque response. Scripts never see it.
    internal: Option<Rc<net::Response>>,
}

/// <https://fetch.spec.whatwg.org/#null-body-status>
fn is_null_body_status(status: u16) -> bool {
    matches!(status, 101 | 103 | 204 | 205 | 304)
}

impl Response {
    /// A response of the network, as much of it as scripts may see.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub fn from_net(realm: &Realm, response: net::Response) -> Fallible<Dom<Self>> {
        let type_ = match response.response_type {
            net::ResponseType::Basic => ResponseType::Basic,
            net::ResponseType::Cors => ResponseType::Cors,
            net::ResponseType::Default => ResponseType::Default,
            net::ResponseType::Opaque => ResponseType::Opaque,
            net::ResponseType::OpaqueRedirect => ResponseType::Opaqueredirect,
        };
        let is_opaque = response.internal.is_some();
        let body = if is_opaque || is_null_body_status(response.status) {
            Body::default()
        } else {
            Body::new(response.body)
        };
        let settings = Settings {
            type_,
            url: response.url,
            redirected: response.redirected,
            status: response.status,
            status_text: response.status_text.into_bytes(),
            internal: response.internal.map(|internal| Rc::new(*internal)),
        };
        let headers = Headers::new(realm, response.headers, Guard::Immutable)?;
        Self::create(realm, settings, headers, body)
    }

    /// The response as it is given to `respondWith()`. Its body counts as read.
    ///
    /// # Errors
    ///
    /// A `TypeError` if the body was read before.
    pub(crate) fn answer(&self) -> Fallible<FetchResponse> {
        let body = self.body.consume()?.map(|bytes| bytes.to_vec());
        let settings = &self.settings;
        Ok(FetchResponse {
            response_type: settings.type_.as_str().to_owned(),
            url: settings.url.clone(),
            redirected: settings.redirected,
            status: settings.status,
            status_text: settings.status_text.clone(),
            headers: self.headers.list(),
            body,
            internal: settings
                .internal
                .as_ref()
                .map(|internal| Box::new(conversion::to_response(internal))),
        })
    }

    /// The response as it is stored in a cache. Its body counts as read.
    ///
    /// # Errors
    ///
    /// A `TypeError` if the body was read before.
    pub(crate) fn stored(&self) -> Fallible<StoredResponse> {
        let body = self.body.consume()?.map(|bytes| bytes.to_vec());
        let behind = self.settings.internal.as_ref();
        Ok(StoredResponse {
            body: body.or_else(|| behind.map(|internal| internal.body.clone())),
            ..self.stored_head()
        })
    }

    /// Looks at all but the body of what would be stored.
    ///
    /// # Errors
    ///
    /// That of `check`.
    pub(crate) fn check_stored(
        &self,
        check: impl FnOnce(&StoredResponse) -> Fallible<()>,
    ) -> Fallible<()> {
        check(&self.stored_head())
    }

    fn stored_head(&self) -> StoredResponse {
        let settings = &self.settings;
        let response_type = settings.type_.as_str().to_owned();
        if let Some(internal) = &settings.internal {
            return StoredResponse {
                response_type,
                url: internal.url.clone(),
                redirected: internal.redirected,
                status: internal.status,
                status_text: internal.status_text.clone().into_bytes(),
                headers: internal.headers.clone(),
                body: None,
            };
        }
        StoredResponse {
            response_type,
            url: settings.url.clone(),
            redirected: settings.redirected,
            status: settings.status,
            status_text: settings.status_text.clone(),
            headers: self.headers.list(),
            body: None,
        }
    }

    /// A response that was stored in a cache.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn from_stored(realm: &Realm, stored: StoredResponse) -> Fallible<Dom<Self>> {
        let response_type = match stored.response_type.as_str() {
            "opaque" => Some(net::ResponseType::Opaque),
            "opaqueredirect" => Some(net::ResponseType::OpaqueRedirect),
            _ => None,
        };
        if let Some(response_type) = response_type {
            let behind = FetchResponse {
                response_type: "default".to_owned(),
                url: stored.url,
                redirected: stored.redirected,
                status: stored.status,
                status_text: stored.status_text,
                headers: stored.headers,
                body: stored.body,
                internal: None,
            };
            let behind = conversion::to_network(behind);
            return Self::from_net(realm, behind.into_opaque(response_type));
        }
        let type_ = realm.new_string(&stored.response_type)?;
        let settings = Settings {
            type_: ResponseType::from_js(realm, &type_)?,
            url: stored.url,
            redirected: stored.redirected,
            status: stored.status,
            status_text: stored.status_text,
            internal: None,
        };
        let headers = Headers::new(realm, stored.headers, Guard::Immutable)?;
        let body = stored.body.map_or_else(Body::default, Body::new);
        Self::create(realm, settings, headers, body)
    }

    fn create(
        realm: &Realm,
        settings: Settings,
        headers: Dom<Headers>,
        body: Body,
    ) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                settings: NoTrace(settings),
                headers,
                body,
            },
        )
    }

    /// <https://fetch.spec.whatwg.org/#initialize-a-response>
    fn initialize(
        realm: &Realm,
        init: ResponseInit,
        body: Option<(Body, Option<String>)>,
    ) -> Fallible<Dom<Self>> {
        // Step 1.
        if !(200..=599).contains(&init.status) {
            return Err(Error::Range(format!(
                "The status {} is not in the range from 200 to 599.",
                init.status
            )));
        }
        // Step 2.
        let is_reason_byte = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
        if !init.status_text.iter().all(is_reason_byte) {
            let message = "The status text has characters that it cannot have.";
            return Err(Error::Type(message.to_owned()));
        }
        // Steps 3 to 5.
        let headers = Headers::new(realm, Vec::new(), Guard::Response)?;
        if let Some(init) = init.headers {
            headers.fill(init)?;
        }
        // Step 6.
        let body = match body {
            None => Body::default(),
            Some(_) if is_null_body_status(init.status) => {
                return Err(Error::Type(format!(
                    "A response with the status {} cannot have a body.",
                    init.status
                )));
            }
            Some((body, type_)) => {
                if let Some(type_) = type_
                    && !headers.contains("content-type")
                {
                    headers.append_header(b"Content-Type", type_.as_bytes())?;
                }
                body
            }
        };
        let settings = Settings {
            type_: ResponseType::Default,
            url: None,
            redirected: false,
            status: init.status,
            status_text: init.status_text.0,
            internal: None,
        };
        Self::create(realm, settings, headers, body)
    }
}

impl HasBody for Response {
    fn body(&self) -> &Body {
        &self.body
    }

    fn body_type(&self) -> Option<Vec<u8>> {
        self.headers.value_of("content-type")
    }
}

impl ResponseMethods for Response {
    fn constructor(
        realm: &Realm,
        body: Option<BodyInit>,
        init: ResponseInit,
    ) -> Fallible<Dom<Self>> {
        let body = body.map(|body| extract(realm, &body)).transpose()?;
        Self::initialize(realm, init, body)
    }

    /// <https://fetch.spec.whatwg.org/#dom-response-error>
    fn error(realm: &Realm) -> Fallible<Dom<Self>> {
        let settings = Settings {
            type_: ResponseType::Error,
            url: None,
            redirected: false,
            status: 0,
            status_text: Vec::new(),
            internal: None,
        };
        let headers = Headers::new(realm, Vec::new(), Guard::Immutable)?;
        Self::create(realm, settings, headers, Body::default())
    }

    /// <https://fetch.spec.whatwg.org/#dom-response-redirect>
    fn redirect(realm: &Realm, url: UsvString, status: u16) -> Fallible<Dom<Self>> {
        let url = Environment::of(realm)?.parse_url(&url)?;
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(Error::Range(format!(
                "{status} is not the status of a redirect."
            )));
        }
        let location = ("Location".to_owned(), String::from(url).into_bytes());
        let headers = Headers::new(realm, vec![location], Guard::Immutable)?;
        let settings = Settings {
            type_: ResponseType::Default,
            url: None,
            redirected: false,
            status,
            status_text: Vec::new(),
            internal: None,
        };
        Self::create(realm, settings, headers, Body::default())
    }

    /// <https://fetch.spec.whatwg.org/#dom-response-json>
    fn json(realm: &Realm, data: Value, init: ResponseInit) -> Fallible<Dom<Self>> {
        let text = realm.to_json(&data)?;
        if text.is_undefined() {
            let message = "The value has no representation in JSON.";
            return Err(Error::Type(message.to_owned()));
        }
        let bytes = text.to_dom_string(realm)?.to_string().into_bytes();
        let type_ = Some("application/json".to_owned());
        Self::initialize(realm, init, Some((Body::new(bytes), type_)))
    }

    fn type_(&self, _: &Realm) -> ResponseType {
        self.settings.type_
    }

    fn url(&self, _: &Realm) -> UsvString {
        let Some(url) = &self.settings.url else {
            return "".into();
        };
        let mut url = url.clone();
        url.set_fragment(None);
        url.as_str().into()
    }

    fn redirected(&self, _: &Realm) -> bool {
        self.settings.redirected
    }

    fn status(&self, _: &Realm) -> u16 {
        self.settings.status
    }

    fn ok(&self, _: &Realm) -> bool {
        (200..300).contains(&self.settings.status)
    }

    fn status_text(&self, _: &Realm) -> ByteString {
        ByteString(self.settings.status_text.clone())
    }

    fn headers(&self, _: &Realm) -> Dom<Headers> {
        self.headers.clone()
    }

    /// <https://fetch.spec.whatwg.org/#dom-response-clone>
    fn clone(&self, realm: &Realm) -> Fallible<Dom<Self>> {
        let body = self.body.try_clone()?;
        let headers = Headers::new(realm, self.headers.list(), self.headers.guard())?;
        Self::create(realm, self.settings.0.clone(), headers, body)
    }
}
