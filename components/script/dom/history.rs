//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-history-interface>

use std::cell::RefCell;

use base::exception::DomExceptionName;

use crate::bindings::generated::HistoryMethods;
use crate::bindings::{Dom, DomString, Error, Fallible, Realm, Reflector, UsvString, Value};
use crate::environment::Environment;
use crate::structured_clone;
use crate::window::page::Page;

dom_struct! {
    /// The entries that a page makes for itself; there is no going back to earlier ones.
    ///
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-history-interface>
    pub struct History {
        pub(crate) reflector: Reflector,
        state: RefCell<Value>,
    }
}

impl History {
    /// The history of a window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        let state = RefCell::new(Value::null());
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                state,
            },
        )
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#shared-history-push/replace-state-steps>
    fn update(&self, realm: &Realm, data: &Value, url: Option<UsvString>) -> Fallible<()> {
        let state = structured_clone::serialize(realm, data, &[])?;
        let state = structured_clone::deserialize(realm, &state)?;
        let page = realm.service::<Page>();
        if let (Some(url), Some(page)) = (url, page) {
            let new = Environment::of(realm)?.parse_url(&url).ok();
            let old = page.url();
            let new = new
                .filter(|new| new.origin() == old.origin())
                .ok_or_else(|| {
                    Error::dom(
                        DomExceptionName::SecurityError,
                        format!("A page at {old} cannot show the URL '{url}'."),
                    )
                })?;
            page.set_url(new);
        }
        let replaced = self.state.replace(state);
        drop(replaced);
        Ok(())
    }
}

impl HistoryMethods for History {
    fn length(&self, realm: &Realm) -> u32 {
        realm
            .service::<Page>()
            .map_or(1, |page| page.context.history_length())
    }

    fn state(&self, _: &Realm) -> Value {
        self.state.borrow().clone()
    }

    fn push_state(
        &self,
        realm: &Realm,
        data: Value,
        _: DomString,
        url: Option<UsvString>,
    ) -> Fallible<()> {
        self.update(realm, &data, url)?;
        if let Some(page) = realm.service::<Page>() {
            page.context.add_history_entry();
        }
        Ok(())
    }

    fn replace_state(
        &self,
        realm: &Realm,
        data: Value,
        _: DomString,
        url: Option<UsvString>,
    ) -> Fallible<()> {
        self.update(realm, &data, url)
    }
}
