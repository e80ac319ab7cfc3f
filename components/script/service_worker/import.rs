//! What a service worker imports: with `importScripts`, and as modules.

use base::channel::Callback;
use base::exception::DomExceptionName;
use crossbeam_channel::{after, bounded, select};
use net::{CredentialsMode, Destination, FetchResult, Request, RequestMode};
use sw_traits::{ScriptResource, WorkerType};
use url::Url;

use super::worker::Worker;
use crate::bindings::{Error, Fallible, Realm, UsvString};
use crate::dom_tree::is_javascript_mime_type;
use crate::environment::Environment;
use crate::modules::{self, FetchOptions, ModuleSource};

/// <https://html.spec.whatwg.org/multipage/workers.html#import-scripts-into-worker-global-scope>
///
/// # Errors
///
/// A `TypeError` in a module, a `SyntaxError` for what is not a URL, a `NetworkError` for a script
/// that cannot be had, and what a script throws.
pub(crate) fn import_scripts(realm: &Realm, urls: &[UsvString]) -> Fallible<()> {
    let worker = Worker::of(realm)?;
    // Step 1
    if worker.script_type == WorkerType::Module {
        return Err(Error::Type(
            "Module workers import with the import statement.".to_owned(),
        ));
    }
    // Step 4 and 5
    let environment = Environment::of(realm)?;
    let urls = urls
        .iter()
        .map(|url| {
            environment.parse_url(url).map_err(|_| {
                let message = format!("\"{url}\" is not a valid URL.");
                Error::dom(DomExceptionName::SyntaxError, message)
            })
        })
        .collect::<Fallible<Vec<Url>>>()?;
    // Step 6
    for url in urls {
        let referrer = worker.script_url.clone();
        let resource = script_resource(realm, &worker, &environment, &url, &referrer)?;
        let source = decode(&resource.body);
        let result = realm.evaluate(&source, url.as_str());
        match result {
            Ok(_) => {}
            // What a script of another origin throws is not to be read.
            Err(Error::Thrown(value))
                if !worker.storage_key.contains(&url) && !value.is_uncatchable() =>
            {
                return Err(unavailable(&url, "it threw an exception"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How a service worker's modules are fetched.
///
/// <https://w3c.github.io/ServiceWorker/#update-algorithm>
const MODULE_OPTIONS: FetchOptions = FetchOptions {
    credentials: CredentialsMode::Omit,
    destination: Destination::ServiceWorker,
};

/// Gets the main module and all that it imports, from the stored scripts or as `importScripts`
/// does. Returns what [`modules::run`] is to run.
///
/// # Errors
///
/// A `NetworkError` for a module that cannot be had.
pub(super) fn load_modules(realm: &Realm, worker: &Worker) -> Fallible<String> {
    let environment = Environment::of(realm)?;
    modules::load_graph(
        realm,
        &worker.script_url,
        MODULE_OPTIONS,
        |url, referrer| {
            let resource = script_resource(realm, worker, &environment, url, referrer)?;
            Ok(ModuleSource {
                text: decode(&resource.body),
                url: resource.response_url,
            })
        },
    )
}

/// A script's text: UTF-8, whatever the server says.
pub(super) fn decode(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    String::from_utf8_lossy(body).into_owned()
}

/// The steps that <https://w3c.github.io/ServiceWorker/#importscripts> takes to fetch a script.
fn script_resource(
    realm: &Realm,
    worker: &Worker,
    environment: &Environment,
    url: &Url,
    referrer: &Url,
) -> Fallible<ScriptResource> {
    // Step 4 and 5: what is stored needs no network.
    if let Some(resource) = worker.script(url) {
        return Ok(resource);
    }
    if !worker.may_import(realm)? {
        let reason = "it was not imported while the service worker was installed";
        return Err(unavailable(url, reason));
    }
    // Step 7 to 9
    let result = fetch(worker, environment, url, referrer);
    let response = match &result {
        Ok(Ok(response)) => response.unfiltered(),
        Ok(Err(error)) => return Err(unavailable(url, &error.to_string())),
        Err(reason) => return Err(unavailable(url, reason)),
    };
    // Step 11
    if !(200..300).contains(&response.status) {
        let reason = format!("the server answered with status {}", response.status);
        return Err(unavailable(url, &reason));
    }
    let text = |name| {
        response
            .header(name)
            .map(|value| String::from_utf8_lossy(&value).into_owned())
            .unwrap_or_default()
    };
    let content_type = text("content-type");
    if !is_javascript_mime_type(&content_type) {
        let reason = format!("its type \"{content_type}\" is not one of JavaScript");
        return Err(unavailable(url, &reason));
    }
    // Step 12
    let resource = ScriptResource {
        url: url.clone(),
        response_url: response.url.clone().unwrap_or_else(|| url.clone()),
        body: response.body.as_slice().into(),
        content_type,
        referrer_policy: text("referrer-policy"),
    };
    worker.add_script(resource.clone());
    Ok(resource)
}

/// Waits for a fetch, or says why it was given up. The wait does not count as running, but the
/// waits of one task together are as limited as its running is.
fn fetch(
    worker: &Worker,
    environment: &Environment,
    url: &Url,
    referrer: &Url,
) -> Result<FetchResult, &'static str> {
    const ENDING: &str = "the service worker is being ended";
    const LATE: &str = "the server took longer than the time limit for scripts";

    let (mode, credentials, destination) = match worker.script_type {
        WorkerType::Classic => (
            RequestMode::NoCors,
            CredentialsMode::SameOrigin,
            Destination::Script,
        ),
        WorkerType::Module => (
            RequestMode::Cors,
            MODULE_OPTIONS.credentials,
            MODULE_OPTIONS.destination,
        ),
    };
    let request = Request {
        mode,
        credentials,
        origin: Some(worker.storage_key.clone()),
        registration_scope: environment.registration_scope.clone(),
        destination,
        referrer: Some(referrer.clone()),
        cache: if worker.imports_bypass_cache {
            net::CacheMode::NoStore
        } else {
            net::CacheMode::Default
        },
        ..Request::new(url.clone())
    };
    let (sender, receiver) = bounded(1);
    let done = Callback::new(move |result: FetchResult| {
        // Nobody waits for it when the worker has ended.
        let _ = sender.send(result);
    });
    let net = &environment.services.net;
    worker.watchdog.paused(|left| {
        if left.is_zero() {
            return Err(LATE);
        }
        let fetch = net.fetch(request, done);
        let reason = select! {
            recv(receiver) -> result => return result.map_err(|_| ENDING),
            recv(worker.ending) -> _ => ENDING,
            recv(after(left)) -> _ => LATE,
        };
        net.cancel(fetch);
        Err(reason)
    })
}

fn unavailable(url: &Url, reason: &str) -> Error {
    let message = format!("The script {url} could not be imported: {reason}.");
    Error::dom(DomExceptionName::NetworkError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_utf_8_with_or_without_a_mark() {
        assert_eq!(decode("\u{feff}é".as_bytes()), "é");
        assert_eq!(decode(b"a\xff"), "a\u{fffd}");
    }
}
