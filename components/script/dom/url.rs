//! <https://url.spec.whatwg.org/#url-class>

use std::cell::RefCell;

use url::quirks;

use super::blob::Blob;
use super::url_search_params::UrlSearchParams;
use crate::bindings::generated::UrlMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, NoTrace, Realm, Reflector, UsvString};
use crate::environment::Environment;

dom_struct! {
    /// <https://url.spec.whatwg.org/#url-class>
    pub struct Url {
        pub(crate) reflector: Reflector,
        /// The parsed URL.
        record: RefCell<NoTrace<url::Url>>,
        /// Made when it is asked for.
        search_params: RefCell<Option<Dom<UrlSearchParams>>>,
    }
}

/// <https://url.spec.whatwg.org/#api-url-parser>
fn parse(text: &str, base: Option<&str>) -> Result<url::Url, String> {
    let invalid = |text: &str| format!("\"{text}\" is not a valid URL.");
    let base = match base {
        Some(base) => Some(url::Url::parse(base).map_err(|_| invalid(base))?),
        None => None,
    };
    url::Url::options()
        .base_url(base.as_ref())
        .parse(text)
        .map_err(|_| invalid(text))
}

impl Url {
    fn from_url(realm: &Realm, url: url::Url) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                record: RefCell::new(NoTrace(url)),
                search_params: RefCell::default(),
            },
        )
    }

    /// Its query has been changed through its search parameters.
    ///
    /// <https://url.spec.whatwg.org/#concept-urlsearchparams-update>
    pub(super) fn set_query(&self, query: Option<&str>) {
        self.record.borrow_mut().0.set_query(query);
    }

    fn read(&self, part: impl Fn(&url::Url) -> &str) -> UsvString {
        part(&self.record.borrow()).into()
    }

    /// Changes a part; a value that does not fit is ignored.
    fn write<E>(&self, value: &str, set: impl Fn(&mut url::Url, &str) -> Result<(), E>) {
        // The setters of the standard have no effect when they fail.
        let _ = set(&mut self.record.borrow_mut().0, value);
    }

    /// The query has been changed: the search parameters follow.
    fn update_search_params(&self) {
        if let Some(params) = &*self.search_params.borrow() {
            params.set_list_from(self.record.borrow().query().unwrap_or_default());
        }
    }
}

impl UrlMethods for Url {
    fn constructor(realm: &Realm, url: UsvString, base: Option<UsvString>) -> Fallible<Dom<Self>> {
        let url = parse(&url, base.as_deref()).map_err(Error::Type)?;
        Self::from_url(realm, url)
    }

    fn parse(
        realm: &Realm,
        url: UsvString,
        base: Option<UsvString>,
    ) -> Fallible<Option<Dom<Self>>> {
        parse(&url, base.as_deref())
            .ok()
            .map(|url| Self::from_url(realm, url))
            .transpose()
    }

    fn can_parse(_: &Realm, url: UsvString, base: Option<UsvString>) -> Fallible<bool> {
        Ok(parse(&url, base.as_deref()).is_ok())
    }

    /// <https://w3c.github.io/FileAPI/#dfn-createObjectURL>
    fn create_object_url(realm: &Realm, obj: Dom<Blob>) -> Fallible<DomString> {
        let environment = Environment::of(realm)?;
        let store = &environment.services.user_agent.blob_urls;
        Ok(store.add(&environment, &obj).into())
    }

    /// <https://w3c.github.io/FileAPI/#dfn-revokeObjectURL>
    fn revoke_object_url(realm: &Realm, url: DomString) -> Fallible<()> {
        let environment = Environment::of(realm)?;
        if let Ok(url) = url::Url::parse(&url.to_string()) {
            let store = &environment.services.user_agent.blob_urls;
            store.revoke(&environment, &url);
        }
        Ok(())
    }

    fn href(&self, _: &Realm) -> UsvString {
        self.read(quirks::href)
    }

    fn set_href(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        let url = parse(&value, None).map_err(Error::Type)?;
        self.record.replace(NoTrace(url));
        self.update_search_params();
        Ok(())
    }

    fn origin(&self, _: &Realm) -> UsvString {
        quirks::origin(&self.record.borrow()).into()
    }

    fn protocol(&self, _: &Realm) -> UsvString {
        self.read(quirks::protocol)
    }

    fn set_protocol(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_protocol);
        Ok(())
    }

    fn username(&self, _: &Realm) -> UsvString {
        self.read(quirks::username)
    }

    fn set_username(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_username);
        Ok(())
    }

    fn password(&self, _: &Realm) -> UsvString {
        self.read(quirks::password)
    }

    fn set_password(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_password);
        Ok(())
    }

    fn host(&self, _: &Realm) -> UsvString {
        self.read(quirks::host)
    }

    fn set_host(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_host);
        Ok(())
    }

    fn hostname(&self, _: &Realm) -> UsvString {
        self.read(quirks::hostname)
    }

    fn set_hostname(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_hostname);
        Ok(())
    }

    fn port(&self, _: &Realm) -> UsvString {
        self.read(quirks::port)
    }

    fn set_port(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        self.write(&value, quirks::set_port);
        Ok(())
    }

    fn pathname(&self, _: &Realm) -> UsvString {
        self.read(quirks::pathname)
    }

    fn set_pathname(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        quirks::set_pathname(&mut self.record.borrow_mut().0, &value);
        Ok(())
    }

    fn search(&self, _: &Realm) -> UsvString {
        self.read(quirks::search)
    }

    fn set_search(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        quirks::set_search(&mut self.record.borrow_mut().0, &value);
        self.update_search_params();
        Ok(())
    }

    fn search_params(&self, realm: &Realm) -> Fallible<Dom<UrlSearchParams>> {
        if let Some(params) = &*self.search_params.borrow() {
            return Ok(params.clone());
        }
        let query = self.record.borrow().query().unwrap_or_default().to_owned();
        let params = UrlSearchParams::of_url(realm, &query, Dom::from_ref(self))?;
        self.search_params.replace(Some(params.clone()));
        Ok(params)
    }

    fn hash(&self, _: &Realm) -> UsvString {
        self.read(quirks::hash)
    }

    fn set_hash(&self, _: &Realm, value: UsvString) -> Fallible<()> {
        quirks::set_hash(&mut self.record.borrow_mut().0, &value);
        Ok(())
    }

    fn to_json(&self, realm: &Realm) -> Fallible<UsvString> {
        Ok(self.href(realm))
    }
}
