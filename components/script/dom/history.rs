//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-history-interface>

use std::cell::RefCell;
use std::rc::Rc;

use base::exception::DomExceptionName;

use crate::bindings::generated::{HistoryMethods, ScrollRestoration};
use crate::bindings::{Dom, DomString, Error, Fallible, Realm, Reflector, UsvString, Value};
use crate::environment::Environment;
use crate::structured_clone;
use crate::window::navigation::Navigation;
use crate::window::page::Page;

dom_struct! {
    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-history-interface>
    pub struct History {
        pub(crate) reflector: Reflector,
        /// What the entry that is shown keeps; made when it is first asked for.
        state: RefCell<Option<Value>>,
    }
}

impl History {
    /// The history of a window.
    ///
    /// # Errors
    ///
    /// The engine is out of memory.
    pub(crate) fn new(realm: &Realm) -> Fallible<Dom<Self>> {
        let state = RefCell::default();
        Dom::new(
            realm,
            Self {
                reflector: Reflector::default(),
                state,
            },
        )
    }

    /// The document is at another entry; returns its state.
    pub(crate) fn restore_state(&self, realm: &Realm) -> Fallible<Value> {
        let bytes = page(realm)?.context.history_state();
        // Step 4 of restoring: a state that cannot be read any more is none.
        let state = bytes.and_then(|bytes| structured_clone::deserialize(realm, &bytes).ok());
        let state = state.unwrap_or_else(Value::null);
        let replaced = self.state.replace(Some(state.clone()));
        drop(replaced);
        Ok(state)
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#shared-history-push/replace-state-steps>
    fn update(
        &self,
        realm: &Realm,
        data: &Value,
        url: Option<UsvString>,
        replaces: bool,
    ) -> Fallible<()> {
        let page = page(realm)?;
        let state = structured_clone::serialize(realm, data, &[])?;
        let old = page.url();
        let new = match url {
            None => old.clone(),
            Some(url) => Environment::of(realm)?
                .parse_url(&url)
                .ok()
                .filter(|new| new.origin() == old.origin())
                .ok_or_else(|| {
                    Error::dom(
                        DomExceptionName::SecurityError,
                        format!("A page at {old} cannot show the URL '{url}'."),
                    )
                })?,
        };
        page.context
            .update_history(&new, Some(state.into()), replaces);
        if new != old {
            page.set_url(new);
        }
        self.restore_state(realm)?;
        Ok(())
    }
}

/// The document of a realm, which has to be the one that its window shows.
fn page(realm: &Realm) -> Fallible<Rc<Page>> {
    realm
        .service::<Page>()
        .filter(|page| page.is_active())
        .ok_or_else(|| {
            Error::dom(
                DomExceptionName::SecurityError,
                "The document of the history is not shown.",
            )
        })
}

impl HistoryMethods for History {
    fn length(&self, realm: &Realm) -> Fallible<u32> {
        Ok(page(realm)?.context.history_length())
    }

    fn scroll_restoration(&self, realm: &Realm) -> Fallible<ScrollRestoration> {
        Ok(page(realm)?.context.scroll_restoration())
    }

    fn set_scroll_restoration(&self, realm: &Realm, value: ScrollRestoration) -> Fallible<()> {
        page(realm)?.context.set_scroll_restoration(value);
        Ok(())
    }

    fn state(&self, realm: &Realm) -> Fallible<Value> {
        page(realm)?;
        let state = self.state.borrow().clone();
        state.map_or_else(|| self.restore_state(realm), Ok)
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#delta-traverse>
    fn go(&self, realm: &Realm, delta: i32) -> Fallible<()> {
        let page = page(realm)?;
        if delta != 0 {
            page.context.traverse_by(delta);
            return Ok(());
        }
        let reload = Navigation {
            reload: true,
            ..Navigation::to(page.url())
        };
        page.navigate(realm, reload);
        Ok(())
    }

    fn back(&self, realm: &Realm) -> Fallible<()> {
        page(realm)?.context.traverse_by(-1);
        Ok(())
    }

    fn forward(&self, realm: &Realm) -> Fallible<()> {
        page(realm)?.context.traverse_by(1);
        Ok(())
    }

    fn push_state(
        &self,
        realm: &Realm,
        data: Value,
        _: DomString,
        url: Option<UsvString>,
    ) -> Fallible<()> {
        self.update(realm, &data, url, false)
    }

    fn replace_state(
        &self,
        realm: &Realm,
        data: Value,
        _: DomString,
        url: Option<UsvString>,
    ) -> Fallible<()> {
        self.update(realm, &data, url, true)
    }
}
