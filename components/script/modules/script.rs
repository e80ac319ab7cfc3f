//! One module script.

use std::cell::{Cell, RefCell};

use net::{CredentialsMode, Destination, ReferrerPolicy};
use url::Url;

use crate::bindings::module::ModuleRecord;
use crate::bindings::{Error, Fallible, Realm, Traceable, Tracer, Value};

/// How a module script and what it imports are fetched.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#script-fetch-options>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FetchOptions {
    /// Whether cookies go along.
    pub(crate) credentials: CredentialsMode,
    /// What the scripts are for.
    pub(crate) destination: Destination,
    /// How much the requests tell of the referrer; `None` is the way of the document or worker.
    pub(crate) referrer_policy: Option<ReferrerPolicy>,
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#module-script>
pub(super) struct ModuleScript {
    /// What the engine calls it; no other module of its realm has this name.
    pub(super) name: String,
    /// What its specifiers are relative to, and what it sees as its own URL.
    pub(super) base_url: Url,
    pub(super) options: FetchOptions,
    /// What it imports from, in order.
    pub(super) requested: Vec<Url>,
    /// Empty once it is compiled.
    source: RefCell<String>,
    line: i32,
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#concept-script-parse-error>
    parse_error: Option<Value>,
    pub(super) record: Cell<Option<ModuleRecord>>,
}

impl Traceable for ModuleScript {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.parse_error.trace(tracer);
    }
}

impl ModuleScript {
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#creating-a-javascript-module-script>
    pub(super) fn create(
        realm: &Realm,
        name: String,
        base_url: Url,
        source: String,
        line: i32,
        options: FetchOptions,
    ) -> Self {
        let requested = requested_urls(realm, &name, &base_url, &source, line);
        let (requested, parse_error) = match requested {
            Ok(requested) => (requested, None),
            Err(error) => (Vec::new(), Some(realm.exception_value(error))),
        };
        Self {
            name,
            base_url,
            options,
            requested,
            source: RefCell::new(source),
            line,
            parse_error,
            record: Cell::new(None),
        }
    }

    /// Why it cannot run, if its text says so already.
    pub(super) fn parse_error(&self) -> Option<&Value> {
        self.parse_error.as_ref()
    }

    /// Compiles it, with what it imports.
    pub(super) fn compile(&self, realm: &Realm) -> Fallible<ModuleRecord> {
        let source = self.source.take();
        let record = realm.compile_module(&self.name, &source, self.line)?;
        let url = realm.new_string(self.base_url.as_str())?;
        realm
            .import_meta(record)?
            .create_data_property(realm, "url", &url)?;
        self.record.set(Some(record));
        Ok(record)
    }
}

/// What a script imports from.
fn requested_urls(
    realm: &Realm,
    name: &str,
    base_url: &Url,
    source: &str,
    line: i32,
) -> Fallible<Vec<Url>> {
    let Some(specifiers) = realm.state().requested_modules(source) else {
        // The same error again, as one of the realm.
        realm.compile_module(name, source, line)?;
        let message = "There was not enough memory to read a module.";
        return Err(Error::Range(message.to_owned()));
    };
    specifiers
        .iter()
        .map(|specifier| resolve_specifier(specifier, base_url))
        .collect()
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#resolve-a-module-specifier>
///
/// # Errors
///
/// A `TypeError` when it is neither a URL nor a relative one.
pub(super) fn resolve_specifier(specifier: &str, base_url: &Url) -> Fallible<Url> {
    let is_relative = ["/", "./", "../"]
        .iter()
        .any(|prefix| specifier.starts_with(prefix));
    let resolved = if is_relative {
        base_url.join(specifier)
    } else {
        Url::parse(specifier)
    };
    resolved.map_err(|_| {
        Error::Type(format!(
            "The module specifier \"{specifier}\" is no URL, and does not begin with \"/\", \
             \"./\" or \"../\"."
        ))
    })
}

/// The name for the module script number `number` of those that cannot have their URL as a name.
/// No URL contains it.
pub(super) fn numbered_name(url: &Url, number: u32) -> String {
    format!("{url}{NUMBER_MARK}{number}>")
}

const NUMBER_MARK: &str = " <module ";

/// The URL in the name that the engine has for a script.
pub(crate) fn url_of_script(name: &str) -> &str {
    name.split_once(NUMBER_MARK).map_or(name, |(url, _)| url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specifier_is_a_url_or_says_that_it_is_relative() {
        let base = Url::parse("https://a.test/x/y.js").unwrap();
        let resolved = |specifier| {
            resolve_specifier(specifier, &base)
                .ok()
                .map(|url| url.to_string())
        };
        for (specifier, url) in [
            ("./z.js", "https://a.test/x/z.js"),
            ("../z.js", "https://a.test/z.js"),
            ("/z.js", "https://a.test/z.js"),
            ("//b.test/z.js", "https://b.test/z.js"),
            ("https://b.test", "https://b.test/"),
            ("data:text/javascript,1", "data:text/javascript,1"),
        ] {
            assert_eq!(resolved(specifier).as_deref(), Some(url), "{specifier}");
        }
        for bare in ["z.js", "", ".z", "?z", "#z"] {
            assert_eq!(resolved(bare), None, "{bare}");
        }
    }

    #[test]
    fn the_url_of_a_numbered_module_is_found_again() {
        let url = Url::parse("https://a.test/<module 1>").unwrap();
        assert_eq!(url_of_script(&numbered_name(&url, 3)), url.as_str());
        assert_eq!(url_of_script(url.as_str()), url.as_str());
    }
}
