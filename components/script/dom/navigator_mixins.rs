//! What the navigators of windows and workers have in common.
//!
//! <https://html.spec.whatwg.org/multipage/system-state.html#client-identification>

use crate::bindings::generated::{
    NavigatorConcurrentHardwareMethods, NavigatorIdMethods, NavigatorLanguageMethods,
    NavigatorOnLineMethods,
};
use crate::bindings::{DomObject, DomString, Fallible, Realm, ToJs, Value};
use crate::environment::Environment;
use crate::network_watch::is_online;

/// The one language that scripts and servers are told.
const LANGUAGE: &str = "en";

/// What sites have come to expect of every engine; the user agent is the one that servers are told.
/// Of the compatibility modes it is Gecko's, which does not name a vendor.
///
/// <https://html.spec.whatwg.org/multipage/system-state.html#concept-navigator-compatibility-mode>
impl<T: DomObject> NavigatorIdMethods for T {
    fn app_code_name(&self, _: &Realm) -> DomString {
        "Mozilla".into()
    }

    fn app_name(&self, _: &Realm) -> DomString {
        "Netscape".into()
    }

    fn app_version(&self, realm: &Realm) -> DomString {
        let user_agent = self.user_agent(realm).to_string();
        let trail = user_agent.strip_prefix("Mozilla/").unwrap_or("5.0 ()");
        match trail.split_once(';') {
            Some((start, _)) => format!("{start})").into(),
            None => trail.into(),
        }
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

    fn product_sub(&self, _: &Realm) -> DomString {
        "20100101".into()
    }

    fn vendor(&self, _: &Realm) -> DomString {
        "".into()
    }

    fn vendor_sub(&self, _: &Realm) -> DomString {
        "".into()
    }

    fn taint_enabled(&self, _: &Realm) -> Fallible<bool> {
        Ok(false)
    }

    fn oscpu(&self, _: &Realm) -> DomString {
        "".into()
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

impl<T: DomObject> NavigatorConcurrentHardwareMethods for T {
    /// <https://html.spec.whatwg.org/multipage/workers.html#dom-navigator-hardwareconcurrency>
    fn hardware_concurrency(&self, realm: &Realm) -> u64 {
        Environment::of(realm).map_or(1, |environment| {
            environment.services.limits.processors.get() as u64
        })
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
