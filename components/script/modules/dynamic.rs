//! `import()`.
//!
//! The engine asks for the name of the module and is told one that holds both URLs, of the script
//! that imports and of the module; for that name it gets a stand-in, which comes back here when
//! the promise of `import()` waits for it. See [`crate::bindings::module`].

use net::{CredentialsMode, Destination};
use url::Url;

use super::fetch::wait_for;
use super::map::{Import, ModuleMap, Then, Wanted};
use super::run::run_record;
use super::script::{FetchOptions, resolve_specifier, url_of_script};
use crate::bindings::{Error, Fallible, GlobalKind, Realm, Value};
use crate::environment::Environment;

/// No URL begins like this and has a line break.
const PREFIX: &str = "import:";

/// <https://html.spec.whatwg.org/multipage/webappapis.html#hostloadimportedmodule>
pub(super) fn name_of_stand_in(
    realm: &Realm,
    map: &ModuleMap,
    importer: &str,
    specifier: &str,
) -> Fallible<String> {
    // Step 2: what a service worker runs has to be there from the start.
    if realm.kind() == GlobalKind::ServiceWorker {
        let message = "import() is not allowed in service workers.";
        return Err(Error::Type(message.to_owned()));
    }
    // Steps 3 to 6; the names of what is no script of its own are not URLs.
    let base = match map.script_by_name(importer) {
        Some(script) => script.base_url.clone(),
        None => match Url::parse(url_of_script(importer)) {
            Ok(url) => url,
            Err(_) => Environment::of(realm)?.base_url(),
        },
    };
    // Steps 7 to 9
    let url = resolve_specifier(specifier, &base)?;
    Ok(format!("{PREFIX}{importer}\n{base}\n{url}"))
}

/// Whether a stand-in has this name.
pub(crate) fn is_stand_in(name: &str) -> bool {
    parts(name).is_some()
}

/// The script that imports, its base URL, and the module's URL.
fn parts(name: &str) -> Option<(&str, Url, Url)> {
    let (importer, urls) = name.strip_prefix(PREFIX)?.split_once('\n')?;
    let (base, url) = urls.split_once('\n')?;
    Some((importer, Url::parse(base).ok()?, Url::parse(url).ok()?))
}

/// Fetches and runs the module that a stand-in is for, then settles the promise of `import()`.
///
/// # Errors
///
/// It is no stand-in.
pub(crate) fn import_dynamically(
    realm: &Realm,
    name: &str,
    resolve: Value,
    reject: Value,
) -> Fallible<()> {
    let Some((importer, referrer, url)) = parts(name) else {
        return Err(Error::Type("There is nothing to import.".to_owned()));
    };
    let importer = ModuleMap::of(realm).script_by_name(importer);
    let options = importer.map(|script| script.options);
    let root = Wanted {
        url,
        referrer: Some(referrer),
        options: FetchOptions {
            credentials: options.map_or(CredentialsMode::SameOrigin, |options| options.credentials),
            destination: Destination::Script,
            referrer_policy: options.and_then(|options| options.referrer_policy),
        },
        is_top_level: true,
    };
    wait_for(realm, root, Then::Import(Import { resolve, reject }));
    Ok(())
}

/// The graph of a dynamic import is there, or will not be.
pub(super) fn fetched(realm: &Realm, import: Import, result: Result<String, String>) {
    let result = result
        .map_err(Error::Type)
        .and_then(|root| realm.run_script(|| run_for(realm, &root, &import)));
    if let Err(error) = result {
        settle(realm, &import.reject, realm.exception_value(error));
    }
}

/// <https://tc39.es/ecma262/#sec-ContinueDynamicImport>
fn run_for(realm: &Realm, root: &str, import: &Import) -> Fallible<()> {
    let (promise, record) = run_record(realm, root)?;
    // The functions stay with the map, which is traced: the promise may never be settled.
    let map = ModuleMap::of(realm);
    let id = map.last_import.get() + 1;
    map.last_import.set(id);
    let running = Import {
        resolve: import.resolve.clone(),
        reject: import.reject.clone(),
    };
    map.imports.borrow_mut().insert(id, running);
    promise.on_settled(move |realm, result| {
        let running = ModuleMap::of(realm).imports.borrow_mut().remove(&id);
        let Some(running) = running else { return };
        let result = result
            .map_err(Error::Thrown)
            .and_then(|_| realm.module_namespace(record));
        match result {
            Ok(namespace) => settle(realm, &running.resolve, namespace),
            Err(error) => settle(realm, &running.reject, realm.exception_value(error)),
        }
    })
}

fn settle(realm: &Realm, function: &Value, value: Value) {
    let settled = realm.run_script(|| function.call(realm, &Value::undefined(), &[value]));
    if settled.is_err() {
        log::error!("a promise of import() could not be settled: out of memory");
    }
}
