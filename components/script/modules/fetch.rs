//! Getting graphs of modules, over the network or from wherever a service worker has them.

use net::{
    Destination, FetchResult, ReferrerPolicy, Request, RequestMode, is_javascript_mime_type,
};
use url::Url;

use super::dynamic;
use super::map::{Graph, ModuleMap, Then, Waiting, Wanted, WhenFetched};
use super::script::{FetchOptions, ModuleScript};
use crate::bindings::{Error, Fallible, Realm};
use crate::environment::Environment;
use crate::fetch::fetch_for_realm;

/// The text of a module that was fetched.
pub(crate) struct ModuleSource {
    /// The text.
    pub(crate) text: String,
    /// Where it came from in the end.
    pub(crate) url: Url,
    /// That of its server, for what it imports.
    pub(crate) referrer_policy: Option<ReferrerPolicy>,
}

/// Fetches a module and all that it imports. `then` may be called before this returns. A worker's
/// main script is fetched from its own origin only.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-module-script-tree>,
/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-module-worker-script-tree>
pub(crate) fn fetch_graph(realm: &Realm, root: Wanted, then: WhenFetched) {
    wait_for(realm, root, Then::Call(then));
}

/// Waits for a graph.
pub(super) fn wait_for(realm: &Realm, root: Wanted, then: Then) {
    let waiting = Waiting {
        root: root.url.to_string(),
        root_request: Some(root),
        then,
    };
    ModuleMap::of(realm).waiting.borrow_mut().push(waiting);
    advance(realm);
}

/// Takes a script in a document as a module, and fetches all that it imports. `then` may be called
/// before this returns.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-an-inline-module-script-graph>
pub(crate) fn fetch_inline_graph(
    realm: &Realm,
    (text, line): (String, i32),
    base_url: Url,
    options: FetchOptions,
    then: WhenFetched,
) {
    let map = ModuleMap::of(realm);
    let name = map.numbered_name(&base_url);
    let script = ModuleScript::create(realm, name.clone(), base_url, text, line, options);
    map.add_script(name.clone(), script);
    let waiting = Waiting {
        root: name,
        root_request: None,
        then: Then::Call(then),
    };
    map.waiting.borrow_mut().push(waiting);
    advance(realm);
}

/// Starts the fetches that graphs need, and goes on with those that need none.
fn advance(realm: &Realm) {
    let map = ModuleMap::of(realm);
    let mut finished = Vec::new();
    let waiting = map.waiting.take();
    for graph in waiting {
        match map.graph(&graph.root, graph.root_request.as_ref()) {
            Graph::Incomplete(wanted) => {
                for wanted in wanted {
                    map.set_fetching(&wanted.url);
                    start(realm, wanted);
                }
                map.waiting.borrow_mut().push(graph);
            }
            Graph::Failed(reason) => finished.push((graph.then, Err(reason))),
            Graph::Complete => finished.push((graph.then, Ok(graph.root))),
        }
    }
    // Scripts may run now, and want more.
    for (then, result) in finished {
        match then {
            Then::Call(then) => then(realm, result),
            Then::Import(import) => dynamic::fetched(realm, import, result),
        }
    }
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-single-module-script>
fn start(realm: &Realm, wanted: Wanted) {
    let request = match Environment::of(realm) {
        Ok(environment) => request(&environment, &wanted),
        Err(_) => return,
    };
    let started = fetch_for_realm(realm, request, move |realm, result| {
        let map = ModuleMap::of(realm);
        match source_in(&wanted.url, result) {
            Ok(source) => {
                let options = options_of(realm, &wanted, &source);
                add(realm, &map, &wanted.url, source, options);
            }
            Err(reason) => map.add_failed(&wanted.url, reason),
        }
        advance(realm);
    });
    if started.is_err() {
        log::error!("a module cannot be fetched: the realm has no event loop");
    }
}

/// How the module and what it imports are fetched from now on: as its server says.
fn options_of(realm: &Realm, wanted: &Wanted, source: &ModuleSource) -> FetchOptions {
    let mut options = wanted.options;
    if is_worker(wanted) && wanted.is_top_level {
        // Up to here it was the one of whoever has started the worker.
        options.referrer_policy = None;
        if let (Some(policy), Ok(environment)) = (source.referrer_policy, Environment::of(realm)) {
            environment.set_referrer_policy(policy);
        }
    }
    FetchOptions {
        referrer_policy: source.referrer_policy.or(options.referrer_policy),
        ..options
    }
}

fn is_worker(wanted: &Wanted) -> bool {
    matches!(
        wanted.options.destination,
        Destination::Worker | Destination::SharedWorker | Destination::ServiceWorker
    )
}

/// Steps 6 to 11 of the algorithm, up to the request.
fn request(environment: &Environment, wanted: &Wanted) -> Request {
    Request {
        mode: if is_worker(wanted) && wanted.is_top_level {
            RequestMode::SameOrigin
        } else {
            RequestMode::Cors
        },
        credentials: wanted.options.credentials,
        origin: environment.origin.clone().into(),
        ancestor_origins: environment.ancestor_origins.clone(),
        registration_scope: environment.registration_scope.clone(),
        destination: if wanted.is_top_level || !is_worker(wanted) {
            wanted.options.destination
        } else {
            Destination::Script
        },
        referrer: wanted.referrer.clone(),
        referrer_policy: wanted
            .options
            .referrer_policy
            .unwrap_or_else(|| environment.referrer_policy()),
        ..Request::new(wanted.url.clone())
    }
}

/// Step 13 of the algorithm: what a response must be.
fn source_in(url: &Url, result: FetchResult) -> Result<ModuleSource, String> {
    let failed = |reason: &str| Err(format!("The module {url} could not be loaded: {reason}."));
    let response = match result {
        Ok(response) => response,
        Err(error) => return failed(&error.to_string()),
    };
    if !response.is_ok() {
        let status = response.status;
        return failed(&format!("the server answered with status {status}"));
    }
    let content_type = response.header("content-type").unwrap_or_default();
    let content_type = String::from_utf8_lossy(&content_type);
    if !is_javascript_mime_type(&content_type) {
        return failed(&format!(
            "its type \"{content_type}\" is not one of JavaScript"
        ));
    }
    let policy = response.header("referrer-policy").unwrap_or_default();
    Ok(ModuleSource {
        referrer_policy: ReferrerPolicy::from_header(&String::from_utf8_lossy(&policy)),
        text: decode(&response.body),
        url: response.url.unwrap_or_else(|| url.clone()),
    })
}

/// A module's text: UTF-8, whatever the server says.
fn decode(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    String::from_utf8_lossy(body).into_owned()
}

fn add(realm: &Realm, map: &ModuleMap, url: &Url, source: ModuleSource, options: FetchOptions) {
    let name = map.unused_name(&source.url);
    let script = ModuleScript::create(realm, name, source.url, source.text, 1, options);
    map.add_script(url.to_string(), script);
}

/// Gets a module and all that it imports with `load`. Returns the name of the root in the map.
///
/// # Errors
///
/// That of `load`.
pub(crate) fn load_graph(
    realm: &Realm,
    url: &Url,
    options: FetchOptions,
    load: impl Fn(&Wanted) -> Fallible<ModuleSource>,
) -> Fallible<String> {
    let map = ModuleMap::of(realm);
    let root = Wanted {
        url: url.clone(),
        referrer: Some(url.clone()),
        options,
        is_top_level: true,
    };
    loop {
        match map.graph(url.as_str(), Some(&root)) {
            Graph::Complete => return Ok(url.to_string()),
            Graph::Failed(reason) => return Err(Error::Type(reason)),
            Graph::Incomplete(wanted) => {
                for wanted in wanted {
                    let source = load(&wanted)?;
                    let options = options_of(realm, &wanted, &source);
                    add(realm, &map, &wanted.url, source, options);
                }
            }
        }
    }
}
