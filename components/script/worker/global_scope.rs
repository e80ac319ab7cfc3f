//! Dedicated and shared workers on their threads, from their script to their end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use base::StorageKey;
use base::channel::Callback;
use base::ids::{ClientId, MessagePortId};
use crossbeam_channel::{Receiver, never};
use net::{CredentialsMode, Destination, ReferrerPolicy, Request, RequestMode};
use sw_traits::{ClientDescription, ClientKind, ClientUpdate, ControllerSource, WorkerType};
use url::Url;

use super::agent::{AgentOptions, WorkerAgent};
use super::scripts::{self, decode, wait_for};
use super::thread::Controls;
use crate::bindings::report::report_exception;
use crate::bindings::{
    DomString, Error, ExceptionReport, Fallible, GlobalKind, Realm, RealmHandle,
};
use crate::dom::dedicated_worker_global_scope::DedicatedWorkerGlobalScope;
use crate::dom::event_target::EventTarget;
use crate::dom::shared_worker_global_scope::SharedWorkerGlobalScope;
use crate::dom::worker_global_scope::WorkerGlobalScope;
use crate::environment::Environment;
use crate::fetch::fetcher::{Around, Fetcher};
use crate::modules::{self, FetchOptions, Wanted};
use crate::service_worker;
use crate::service_worker::client::ServiceWorkerClient;
use crate::service_worker::reserved::ReservedClient;
use crate::services::Services;

/// What the owner of a worker hears of it.
#[derive(Clone, Debug)]
pub(crate) enum WorkerNotice {
    /// Its script could not be had.
    Failed(String),
    /// It did not handle an exception.
    Exception(ExceptionReport),
    /// It has ended.
    Ended,
}

/// What a dedicated or shared worker needs to run.
pub(crate) struct Launch {
    pub(crate) services: Services,
    /// Dedicated or shared.
    pub(crate) kind: GlobalKind,
    pub(crate) url: Url,
    /// The script, if it needs no fetch.
    pub(crate) script: Option<Vec<u8>>,
    pub(crate) name: DomString,
    pub(crate) worker_type: WorkerType,
    pub(crate) credentials: CredentialsMode,
    pub(crate) origin: Option<StorageKey>,
    /// The origins of the documents around whoever starts it.
    pub(crate) ancestor_origins: Vec<Option<StorageKey>>,
    /// The client that it is started by.
    pub(crate) creator: ClientId,
    /// What the request for its script tells of whoever starts it, as far as the policy lets it.
    pub(crate) referrer: Option<Url>,
    /// That of whoever starts it: for the request, and for a script that needs none.
    pub(crate) referrer_policy: ReferrerPolicy,
    pub(crate) secure_context: bool,
    /// <https://html.spec.whatwg.org/multipage/workers.html#inside-port>, for dedicated workers.
    pub(crate) inside_port: Option<MessagePortId>,
    pub(crate) notices: Callback<WorkerNotice>,
}

impl Launch {
    fn destination(&self) -> Destination {
        match self.kind {
            GlobalKind::SharedWorker => Destination::SharedWorker,
            _ => Destination::Worker,
        }
    }
}

/// Runs a worker until it ends.
///
/// <https://html.spec.whatwg.org/multipage/workers.html#run-a-worker>
pub(crate) fn run(launch: &Launch, controls: &Controls, ending: Receiver<()>) {
    let result = catch_unwind(AssertUnwindSafe(|| run_script(launch, controls, ending)));
    // The panic hook has said what happened.
    if let Err(reason) = result.unwrap_or_else(|_| Err("internal error".to_owned())) {
        launch.notices.call(WorkerNotice::Failed(reason));
    }
    launch.notices.call(WorkerNotice::Ended);
}

/// A classic worker's main script.
struct ClassicScript {
    text: String,
    /// Where it came from in the end.
    url: Url,
    /// The value of its `Referrer-Policy` header.
    referrer_policy: String,
}

fn run_script(launch: &Launch, controls: &Controls, ending: Receiver<()>) -> Result<(), String> {
    let mut reserved = None;
    let script = match launch.worker_type {
        WorkerType::Classic => {
            reserved = reserve(launch);
            match fetch_classic(launch, reserved.as_ref(), &ending)? {
                Some(script) => Some(script),
                None => return Ok(()),
            }
        }
        WorkerType::Module => None,
    };
    let id = reserved.as_ref().map(ReservedClient::id);
    let id = id.unwrap_or_else(ClientId::random);
    let agent = create_agent(launch, id, script.as_ref(), ending)?;
    let realm = &agent.realm;
    attach(launch, realm, reserved).map_err(|_| "the worker has no event loop".to_owned())?;
    let notices = launch.notices.clone();
    if launch.kind == GlobalKind::DedicatedWorker {
        agent.delegate.observe(move |report| {
            // Rejections stay in the worker.
            if !report.is_rejection {
                notices.call(WorkerNotice::Exception(report.clone()));
            }
            !report.is_rejection
        });
    }
    agent.limit_tasks(|_| {});
    if !agent.connect(controls) {
        return Ok(());
    }
    agent.run(|| service_worker::controller_is_known(realm));
    if agent.terminator().is_terminated() {
        return Ok(());
    }
    agent.event_loop.run_task(|| match &script {
        Some(script) => {
            if let Err(error) = realm.evaluate(&script.text, script.url.as_str()) {
                report_exception(realm, error);
            }
            started(realm);
        }
        None => start_module(launch, realm),
    });
    agent.run(|| agent.event_loop.is_over());
    Ok(())
}

/// Nothing when the worker is to end before it is there.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-classic-worker-script>
fn fetch_classic(
    launch: &Launch,
    reserved: Option<&ReservedClient>,
    ending: &Receiver<()>,
) -> Result<Option<ClassicScript>, String> {
    let url = launch.url.clone();
    if let Some(bytes) = &launch.script {
        let text = decode(bytes);
        return Ok(Some(ClassicScript {
            text,
            url,
            referrer_policy: String::new(),
        }));
    }
    let failed = |reason: &str| format!("The worker's script {url} could not be loaded: {reason}.");
    let request = Request {
        mode: RequestMode::SameOrigin,
        origin: launch.origin.clone().into(),
        ancestor_origins: launch.ancestor_origins.clone(),
        destination: launch.destination(),
        referrer: launch.referrer.clone(),
        referrer_policy: launch.referrer_policy,
        ..Request::new(url.clone())
    };
    // The network has a time limit of its own.
    let fetcher = Fetcher::new(&launch.services, reserved.map(ReservedClient::handle));
    let fetcher = fetcher.around(Around {
        initiator: Some(launch.creator),
        replaces: None,
    });
    let Ok(result) = wait_for(&fetcher, request, ending, &never::<()>()) else {
        return Ok(None);
    };
    let response = result.map_err(|error| failed(&error.to_string()))?;
    let has_http_scheme = matches!(url.scheme(), "http" | "https");
    if has_http_scheme {
        scripts::check(&response).map_err(|reason| failed(&reason))?;
    }
    let header = response.header("referrer-policy").unwrap_or_default();
    let referrer_policy = String::from_utf8_lossy(&header).into_owned();
    let text = decode(&response.body);
    let response_url = response.url.unwrap_or_else(|| url.clone());
    if let Some(reserved) = reserved.filter(|_| response_url != url) {
        reserved.redirect(response_url.clone());
    }
    Ok(Some(ClassicScript {
        referrer_policy,
        text,
        url: response_url,
    }))
}

fn create_agent(
    launch: &Launch,
    id: ClientId,
    script: Option<&ClassicScript>,
    ending: Receiver<()>,
) -> Result<WorkerAgent, String> {
    let url = script.map_or(&launch.url, |script| &script.url);
    let environment = Environment::of_worker(
        id,
        url.clone(),
        launch.origin.clone(),
        launch.services.clone(),
    )
    .within(launch.ancestor_origins.clone());
    if matches!(url.scheme(), "blob" | "data") {
        environment.set_referrer_policy(launch.referrer_policy);
    }
    if let Some(script) = script {
        environment.take_referrer_policy(&script.referrer_policy);
    }
    let options = AgentOptions {
        kind: launch.kind,
        secure_context: launch.secure_context,
        environment,
        is_module: launch.worker_type == WorkerType::Module,
        ending,
    };
    let name = launch.name.clone();
    if launch.kind == GlobalKind::SharedWorker {
        WorkerAgent::new(options, || SharedWorkerGlobalScope::new(name))
    } else {
        WorkerAgent::new(options, || DedicatedWorkerGlobalScope::new(name))
    }
}

/// The client that a worker is, or will be; none if its origin is opaque.
fn description(launch: &Launch, id: ClientId, url: Url) -> Option<ClientDescription> {
    let kind = match launch.kind {
        GlobalKind::SharedWorker => ClientKind::SharedWorker,
        _ => ClientKind::DedicatedWorker,
    };
    let controller = match url.scheme() {
        "blob" => ControllerSource::Client(launch.creator),
        _ => ControllerSource::Url,
    };
    Some(ClientDescription {
        secure_context: launch.secure_context,
        controller,
        // The script of a module worker is fetched when there is a realm already.
        execution_ready: launch.worker_type == WorkerType::Classic,
        ..ClientDescription::new(id, launch.origin.clone()?, url, kind)
    })
}

fn reserve(launch: &Launch) -> Option<ReservedClient> {
    let description = description(launch, ClientId::random(), launch.url.clone())?;
    ReservedClient::attach(&launch.services, description)
}

/// Makes the realm a service worker client, and receives its port.
fn attach(launch: &Launch, realm: &Realm, reserved: Option<ReservedClient>) -> Fallible<()> {
    let environment = Environment::of(realm)?;
    let url = environment.creation_url.clone();
    if let Some(description) = description(launch, environment.client, url) {
        ServiceWorkerClient::attach_as(realm, &launch.services, description, reserved)?;
    }
    if let Some(port) = launch.inside_port
        && let Some(scope) = realm.global::<DedicatedWorkerGlobalScope>()
    {
        scope.receive_port(realm, port)?;
    }
    Ok(())
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-module-worker-script-tree>
fn start_module(launch: &Launch, realm: &RealmHandle) {
    let options = FetchOptions {
        credentials: launch.credentials,
        destination: launch.destination(),
        referrer_policy: Some(launch.referrer_policy),
    };
    let notices = launch.notices.clone();
    let then = move |realm: &Realm, root: Result<String, String>| match root {
        Ok(root) => {
            service_worker::update(realm, ClientUpdate::ExecutionReady);
            modules::run_and_report(realm, &root);
            started(realm);
        }
        Err(reason) => {
            notices.call(WorkerNotice::Failed(reason));
            WorkerGlobalScope::close(realm);
        }
    };
    let root = Wanted {
        url: launch.url.clone(),
        referrer: launch.referrer.clone(),
        options,
        is_top_level: true,
    };
    modules::fetch_graph(realm, root, Box::new(then));
}

/// The last steps of <https://html.spec.whatwg.org/multipage/workers.html#run-a-worker>
fn started(realm: &Realm) {
    if let Some(scope) = realm.global::<DedicatedWorkerGlobalScope>() {
        scope.enable_port();
    }
    if let Some(scope) = realm.global::<SharedWorkerGlobalScope>()
        && let Err(error) = scope.start(realm)
    {
        report_exception(realm, error);
    }
    service_worker::enable_messages(realm);
}

/// A window or worker has connected to a shared worker.
pub(super) fn fire_connect(realm: &Realm, port: MessagePortId) {
    let scope = realm.global::<SharedWorkerGlobalScope>();
    if let Some(Err(error)) = scope.map(|scope| scope.connect(realm, port)) {
        report_exception(realm, error);
    }
}

/// The event target that a global object is.
///
/// # Errors
///
/// None in practice: every global object is one.
pub(crate) fn global_target(realm: &Realm) -> Fallible<crate::bindings::Dom<EventTarget>> {
    let missing = || Error::Type("the global object is no event target".to_owned());
    realm.global::<EventTarget>().ok_or_else(missing)
}
