//! <https://html.spec.whatwg.org/multipage/text-level-semantics.html#htmlanchorelement>

use url::{Url, quirks};

use super::html_element::HtmlElement;
use crate::bindings::generated::{HtmlAnchorElementMethods, NodeMethods};
use crate::bindings::{DomString, Fallible, Realm, UsvString};

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/text-level-semantics.html#htmlanchorelement>
    pub struct HtmlAnchorElement {
        pub(crate) parent: HtmlElement,
    }
}

impl HtmlAnchorElement {
    /// <https://html.spec.whatwg.org/multipage/links.html#concept-hyperlink-url>
    fn url(&self, realm: &Realm) -> Option<Url> {
        Url::parse(&self.reflected_url(realm, "href")).ok()
    }

    /// A part of the URL; empty where there is none.
    fn part(&self, realm: &Realm, part: fn(&Url) -> &str) -> UsvString {
        let url = self.url(realm);
        url.as_ref().map(part).unwrap_or_default().into()
    }

    /// Changes the URL, if there is one.
    fn change(&self, realm: &Realm, change: impl FnOnce(&mut Url)) -> Fallible<()> {
        let Some(mut url) = self.url(realm) else {
            return Ok(());
        };
        change(&mut url);
        self.reflect(realm, "href", url.as_str())
    }
}

impl HtmlAnchorElementMethods for HtmlAnchorElement {
    fn href(&self, realm: &Realm) -> UsvString {
        self.reflected_url(realm, "href")
    }

    fn set_href(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.reflect(realm, "href", &value)
    }

    fn origin(&self, realm: &Realm) -> UsvString {
        let url = self.url(realm);
        url.as_ref().map(quirks::origin).unwrap_or_default().into()
    }

    fn protocol(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::protocol)
    }

    fn set_protocol(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_protocol(url, &value);
        })
    }

    fn username(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::username)
    }

    fn set_username(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_username(url, &value);
        })
    }

    fn password(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::password)
    }

    fn set_password(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_password(url, &value);
        })
    }

    fn host(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::host)
    }

    fn set_host(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_host(url, &value);
        })
    }

    fn hostname(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::hostname)
    }

    fn set_hostname(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_hostname(url, &value);
        })
    }

    fn port(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::port)
    }

    fn set_port(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            // What cannot be changed stays.
            let _ = quirks::set_port(url, &value);
        })
    }

    fn pathname(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::pathname)
    }

    fn set_pathname(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            quirks::set_pathname(url, &value);
        })
    }

    fn search(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::search)
    }

    fn set_search(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            quirks::set_search(url, &value);
        })
    }

    fn hash(&self, realm: &Realm) -> UsvString {
        self.part(realm, quirks::hash)
    }

    fn set_hash(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.change(realm, |url| {
            quirks::set_hash(url, &value);
        })
    }

    fn download(&self, _: &Realm) -> DomString {
        self.reflected("download")
    }

    fn set_download(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "download", &value.to_string())
    }

    fn target(&self, _: &Realm) -> DomString {
        self.reflected("target")
    }

    fn set_target(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "target", &value.to_string())
    }

    fn rel(&self, _: &Realm) -> DomString {
        self.reflected("rel")
    }

    fn set_rel(&self, realm: &Realm, value: DomString) -> Fallible<()> {
        self.reflect(realm, "rel", &value.to_string())
    }

    fn text(&self, realm: &Realm) -> Option<DomString> {
        self.text_content(realm)
    }

    fn set_text(&self, realm: &Realm, value: Option<DomString>) -> Fallible<()> {
        self.set_text_content(realm, value)
    }
}
