//! What the navigators of windows and workers have in common.
//!
//! <https://html.spec.whatwg.org/multipage/system-state.html#client-identification>

use crate::bindings::generated::{
    NavigatorIdMethods, NavigatorLanguageMethods, NavigatorOnLineMethods,
};
use crate::bindings::{DomObject, DomString, Fallible, Realm, ToJs, Value};
use crate::environment::Environment;
use crate::network_watch::is_online;

/// The one language that scripts and servers are told.
const LANGUAGE: &str = "en";

/// What sites have come to expect of every engine; the user agent is the one that servers are told.
impl<T: DomObject> NavigatorIdMethods for T {
    fn app_code_name(&self, _: &Realm) -> DomString {
        "Mozilla".into()
    }

    fn app_name(&self, _: &Realm) -> DomString {
        "Netscape".into()
    }

    fn app_version(&self, realm: &Realm) -> DomString {
        let user_agent = self.user_agent(realm).to_string();
        user_agent.strip_prefix("Mozilla/").unwrap_or("5.0").into()
    }

    fn platform(&self, _: &Realm) -> DomString {
        "".into()
    }

    fn product(&self, _: &Realm) -> DomString {
        "Gecko".into()
    }

    fn user_agent(&self, _: &Realm) -> DomString {
        net::NetConfig::default().user_agent.into()
    }
}

impl<T: DomObject> NavigatorLanguageMethods for T {
    fn language(&self, _: &Realm) -> DomString {
        LANGUAGE.into()
    }

    fn languages(&self, realm: &Realm) -> Fallible<Value> {
        let languages = vec![DomString::from(LANGUAGE)].to_js(realm)?;
        languages.freeze(realm)?;
        Ok(languages)
    }
}

impl<T: DomObject> NavigatorOnLineMethods for T {
    /// <https://html.spec.whatwg.org/multipage/system-state.html#dom-navigator-online>
    fn on_line(&self, realm: &Realm) -> bool {
        // A realm without an environment has no network to be off.
        Environment::of(realm).map_or(true, |environment| {
            let registration = environment.registration();
            is_online(
                &environment.services.network.current(),
                registration.as_ref(),
            )
        })
    }
}
