//! Functions that an embedder gives to pages.

use std::sync::Arc;

use base::channel::Callback;

use crate::bindings::{Error, Fallible, Flags, Realm, Value};

/// Global functions by which scripts of a window tell the embedder something. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Bindings(Arc<Vec<(String, Callback<String>)>>);

impl Bindings {
    pub(super) fn add(&mut self, name: String, callback: Callback<String>) {
        Arc::make_mut(&mut self.0).push((name, callback));
    }

    /// Gives a new global object its functions, before any script runs.
    pub(super) fn define(&self, realm: &Realm) -> Fallible<()> {
        for (name, callback) in self.0.iter() {
            let callback = callback.clone();
            let function = Value::new_function(realm, name, 1, move |realm, arguments| {
                let [text] = arguments else {
                    return Err(Error::Type("one argument is needed".to_owned()));
                };
                if !text.is_string() {
                    return Err(Error::Type("the argument is no string".to_owned()));
                }
                callback.call(text.to_dom_string(realm)?.to_string());
                Ok(Value::undefined())
            })?;
            realm
                .global_value()
                .define(realm, name.as_str(), &function, Flags::HIDDEN)?;
        }
        Ok(())
    }
}
