//! `importScripts`.

use base::channel::Callback;
use base::exception::DomExceptionName;
use crossbeam_channel::{after, bounded, select};
use net::{Destination, FetchResult, Request, RequestMode};
use sw_traits::{ScriptResource, WorkerType};
use url::Url;

use super::worker::Worker;
use crate::bindings::{Error, Fallible, Realm, UsvString};
use crate::environment::Environment;

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
        let resource = script_resource(realm, &worker, &environment, &url)?;
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
    let result = fetch(worker, environment, url);
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
    if !is_javascript(&content_type) {
        let reason = format!("its type \"{content_type}\" is not one of JavaScript");
        return Err(unavailable(url, &reason));
    }
    // Step 12
    let resource = ScriptResource {
        url: url.clone(),
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
) -> Result<FetchResult, &'static str> {
    const ENDING: &str = "the service worker is being ended";
    const LATE: &str = "the server took longer than the time limit for scripts";

    let request = Request {
        mode: RequestMode::NoCors,
        origin: Some(worker.storage_key.clone()),
        registration_scope: environment.registration_scope.clone(),
        destination: Destination::Script,
        referrer: Some(worker.script_url.clone()),
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

/// <https://mimesniff.spec.whatwg.org/#javascript-mime-type>
fn is_javascript(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "application/ecmascript"
            | "application/javascript"
            | "application/x-ecmascript"
            | "application/x-javascript"
            | "text/ecmascript"
            | "text/javascript"
            | "text/javascript1.0"
            | "text/javascript1.1"
            | "text/javascript1.2"
            | "text/javascript1.3"
            | "text/javascript1.4"
            | "text/javascript1.5"
            | "text/jscript"
            | "text/livescript"
            | "text/x-ecmascript"
            | "text/x-javascript"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_javascript_is_javascript() {
        for (content_type, expected) in [
            ("text/javascript", true),
            ("Application/JavaScript; charset=utf-8", true),
            ("text/x-ecmascript ;x", true),
            ("text/html", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_javascript(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn a_script_is_utf_8_with_or_without_a_mark() {
        assert_eq!(decode("\u{feff}é".as_bytes()), "é");
        assert_eq!(decode(b"a\xff"), "a\u{fffd}");
    }
}
