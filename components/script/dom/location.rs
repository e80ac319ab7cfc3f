//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-location-interface>

use std::cell::OnceCell;
use std::rc::Rc;

use base::exception::DomExceptionName;
use url::{Url, quirks};

use super::dom_string_list::DomStringList;
use super::window_or_worker_global_scope::same;
use crate::bindings::generated::LocationMethods;
use crate::bindings::{Dom, Error, Fallible, Realm, RealmHandle, Reflector, UsvString};
use crate::environment::Environment;
use crate::window::navigation::Navigation;
use crate::window::page::Page;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-location-interface>
    pub struct Location {
        pub(crate) reflector: Reflector,
        ancestor_origins: OnceCell<Dom<DomStringList>>,
    }
}

impl Location {
    /// The location of a window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                ancestor_origins: OnceCell::new(),
            },
        )
    }
}

fn page(realm: &Realm) -> Fallible<Rc<Page>> {
    realm
        .service()
        .ok_or_else(|| Error::Type("The window has no document.".to_owned()))
}

fn url(realm: &Realm) -> Url {
    let blank = || Url::parse("about:blank").expect("about:blank is a URL");
    realm
        .service::<Page>()
        .map_or_else(blank, |page| page.url())
}

/// Navigates to what `change` makes of the URL; what it refuses changes nothing.
fn change(realm: &Realm, change: impl FnOnce(&mut Url) -> Result<(), ()>) -> Fallible<()> {
    let page = page(realm)?;
    let mut url = page.url();
    if change(&mut url).is_ok() && url != page.url() {
        page.navigate(&source(realm), Navigation::to(url));
    }
    Ok(())
}

/// The realm of the script that navigates, which need not be that of the window.
///
/// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#location-object-navigate>
fn source(realm: &Realm) -> RealmHandle {
    let incumbent = realm.state().incumbent();
    incumbent.unwrap_or_else(|| realm.root())
}

fn parse(realm: &Realm, text: &str) -> Fallible<Url> {
    Environment::of(&source(realm))?
        .parse_url(text)
        .map_err(|_| {
            Error::dom(
                DomExceptionName::SyntaxError,
                format!("'{text}' is not a valid URL."),
            )
        })
}

impl LocationMethods for Location {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-location-ancestororigins>
    fn ancestor_origins(&self, realm: &Realm) -> Fallible<Dom<DomStringList>> {
        same(&self.ancestor_origins, || {
            let origins = page(realm)?.context.serialized_ancestor_origins();
            DomStringList::new(
                realm,
                origins
                    .iter()
                    .map(|origin| origin.as_str().into())
                    .collect(),
            )
        })
    }

    fn href(&self, realm: &Realm) -> UsvString {
        url(realm).to_string().into()
    }

    fn set_href(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        self.assign(realm, value)
    }

    fn origin(&self, realm: &Realm) -> UsvString {
        quirks::origin(&url(realm)).into()
    }

    fn protocol(&self, realm: &Realm) -> UsvString {
        quirks::protocol(&url(realm)).into()
    }

    fn set_protocol(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| quirks::set_protocol(url, &value))
    }

    fn host(&self, realm: &Realm) -> UsvString {
        quirks::host(&url(realm)).into()
    }

    fn set_host(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| quirks::set_host(url, &value))
    }

    fn hostname(&self, realm: &Realm) -> UsvString {
        quirks::hostname(&url(realm)).into()
    }

    fn set_hostname(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| quirks::set_hostname(url, &value))
    }

    fn port(&self, realm: &Realm) -> UsvString {
        quirks::port(&url(realm)).into()
    }

    fn set_port(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| quirks::set_port(url, &value))
    }

    fn pathname(&self, realm: &Realm) -> UsvString {
        quirks::pathname(&url(realm)).into()
    }

    fn set_pathname(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| {
            quirks::set_pathname(url, &value);
            Ok(())
        })
    }

    fn search(&self, realm: &Realm) -> UsvString {
        quirks::search(&url(realm)).into()
    }

    fn set_search(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| {
            quirks::set_search(url, &value);
            Ok(())
        })
    }

    fn hash(&self, realm: &Realm) -> UsvString {
        quirks::hash(&url(realm)).into()
    }

    fn set_hash(&self, realm: &Realm, value: UsvString) -> Fallible<()> {
        change(realm, |url| {
            quirks::set_hash(url, &value);
            Ok(())
        })
    }

    fn assign(&self, realm: &Realm, url: UsvString) -> Fallible<()> {
        let url = parse(realm, &url)?;
        page(realm)?.navigate(&source(realm), Navigation::to(url));
        Ok(())
    }

    fn replace(&self, realm: &Realm, url: UsvString) -> Fallible<()> {
        let navigation = Navigation {
            replaces: true,
            ..Navigation::to(parse(realm, &url)?)
        };
        page(realm)?.navigate(&source(realm), navigation);
        Ok(())
    }

    fn reload(&self, realm: &Realm) -> Fallible<()> {
        let page = page(realm)?;
        page.navigate(
            realm,
            Navigation {
                reload: true,
                ..Navigation::to(page.url())
            },
        );
        Ok(())
    }
}
