//! What a service worker imports: with `importScripts`, and as modules.

use net::{CredentialsMode, Destination, ReferrerPolicy, Request, RequestMode, RequestOrigin};
use sw_traits::{ScriptResource, WorkerType};
use url::Url;

use super::worker::Worker;
use crate::bindings::{Fallible, Realm};
use crate::environment::Environment;
use crate::fetch::fetcher::Fetcher;
use crate::modules::{self, FetchOptions, ModuleSource};
use crate::worker::scripts::{self, ScriptWaiter, decode, unavailable};

/// The text of a script for `importScripts()`.
///
/// # Errors
///
/// A `NetworkError` when it cannot be had.
pub(crate) fn script_text(realm: &Realm, worker: &Worker, url: &Url) -> Fallible<String> {
    let environment = Environment::of(realm)?;
    let from = (
        Some(worker.script_url.clone()),
        environment.referrer_policy(),
    );
    let resource = script_resource(realm, worker, &environment, url, from)?;
    Ok(decode(&resource.body))
}

/// How a service worker's modules are fetched.
///
/// <https://w3c.github.io/ServiceWorker/#update-algorithm>
const MODULE_OPTIONS: FetchOptions = FetchOptions {
    credentials: CredentialsMode::Omit,
    destination: Destination::ServiceWorker,
    referrer_policy: None,
};

/// Gets the main module and all that it imports, from the stored scripts or as `importScripts`
/// does. Returns what [`modules::run`] is to run.
///
/// # Errors
///
/// A `NetworkError` for a module that cannot be had.
pub(super) fn load_modules(realm: &Realm, worker: &Worker) -> Fallible<String> {
    let environment = Environment::of(realm)?;
    modules::load_graph(realm, &worker.script_url, MODULE_OPTIONS, |wanted| {
        let policy = wanted.options.referrer_policy;
        let from = (
            wanted.referrer.clone(),
            policy.unwrap_or_else(|| environment.referrer_policy()),
        );
        let resource = script_resource(realm, worker, &environment, &wanted.url, from)?;
        let policy = resource.header("referrer-policy");
        Ok(ModuleSource {
            referrer_policy: policy.and_then(|policy| ReferrerPolicy::from_header(&policy)),
            text: decode(&resource.body),
            url: resource.response_url,
        })
    })
}

/// The steps that <https://w3c.github.io/ServiceWorker/#importscripts> takes to fetch a script.
fn script_resource(
    realm: &Realm,
    worker: &Worker,
    environment: &Environment,
    url: &Url,
    from: (Option<Url>, ReferrerPolicy),
) -> Fallible<ScriptResource> {
    // Step 4 and 5: what is stored needs no network.
    if let Some(resource) = worker.script(url) {
        return Ok(resource);
    }
    if !worker.may_import(realm)? {
        let reason = "it was not imported while the service worker was installed";
        return Err(unavailable(url, reason));
    }
    // What an update check did not get is in the map as a network error.
    if worker.unavailable_scripts.contains(url) {
        let reason = "the server did not have it when the service worker was updated";
        return Err(unavailable(url, reason));
    }
    // Step 7 to 9
    let request = request(worker, environment, url, from);
    let result =
        ScriptWaiter::of(realm)?.fetch(&Fetcher::new(&environment.services, None), request);
    let response = match &result {
        Ok(Ok(response)) => response.unfiltered(),
        Ok(Err(error)) => return Err(unavailable(url, &error.to_string())),
        Err(reason) => return Err(unavailable(url, reason)),
    };
    // Step 11
    scripts::check(response).map_err(|reason| unavailable(url, &reason))?;
    // Step 12
    let resource = ScriptResource {
        url: url.clone(),
        response_url: response.url.clone().unwrap_or_else(|| url.clone()),
        body: response.body.as_slice().into(),
        headers: response.headers_without_cookies(),
    };
    worker.add_script(resource.clone(), response.from_cache);
    Ok(resource)
}

fn request(
    worker: &Worker,
    environment: &Environment,
    url: &Url,
    (referrer, referrer_policy): (Option<Url>, ReferrerPolicy),
) -> Request {
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
    Request {
        mode,
        credentials,
        origin: RequestOrigin::Tuple(worker.storage_key.clone()),
        registration_scope: environment.registration_scope.clone(),
        destination,
        referrer,
        referrer_policy,
        cache: if worker.imports_bypass_cache {
            net::CacheMode::NoCache
        } else {
            net::CacheMode::Default
        },
        ..Request::new(url.clone())
    }
}
