//! Service workers: the client side of their API, and the threads on which they run.
//!
//! - `client`: what a window or worker knows of registrations and workers, and its way to the
//!   components;
//! - `threads`: the host that starts, wakes and ends workers;
//! - `thread`: the life of one worker on its thread;
//! - `worker`: what the realm of a worker knows of itself, and its events;
//! - `import`: `importScripts`;
//! - `reserved`: clients whose document or script is still to come;
//! - `message`: messages on their way through the components.

pub(crate) mod client;
pub(crate) mod import;
pub(crate) mod message;
pub(crate) mod reserved;
mod thread;
mod threads;
pub(crate) mod worker;

use std::rc::Rc;

use sw_traits::{
    ClientDescription, ClientKind, ClientUpdate, ControllerSource, FrameType, ServiceWorkerInfo,
};

pub use self::threads::ServiceWorkerThreads;
use crate::bindings::{Fallible, Realm};
use crate::environment::Environment;

/// Makes a window a client of service workers and of Background Sync; call it when its realm has
/// its [`Environment`] and event loop, before any script runs. A window with an opaque origin is
/// no client.
///
/// # Errors
///
/// The realm has no environment or no event loop.
pub fn attach_window(
    realm: &Realm,
    frame_type: FrameType,
    controller: ControllerSource,
    ancestor_origins: Vec<String>,
) -> Fallible<()> {
    attach_document(realm, frame_type, controller, ancestor_origins, None)
}

/// The same for a document whose client there may have been before.
pub(crate) fn attach_document(
    realm: &Realm,
    frame_type: FrameType,
    controller: ControllerSource,
    ancestor_origins: Vec<String>,
    reserved: Option<reserved::ReservedClient>,
) -> Fallible<()> {
    let environment = Environment::of(realm)?;
    let Some(storage_key) = environment.origin.clone() else {
        return Ok(());
    };
    let description = ClientDescription {
        frame_type,
        secure_context: realm.is_secure_context(),
        controller,
        ancestor_origins,
        ..ClientDescription::new(
            environment.client,
            storage_key,
            environment.creation_url.clone(),
            ClientKind::Window,
        )
    };
    client::ServiceWorkerClient::attach_as(realm, &environment.services, description, reserved)
}

/// Tells the component something new about a window.
pub(crate) fn update(realm: &Realm, update: ClientUpdate) {
    if let Some(client) = realm.service::<client::ServiceWorkerClient>() {
        client.update(update);
    }
}

/// The service worker that controls a realm, as far as the realm knows.
pub(crate) fn controller(realm: &Realm) -> Option<ServiceWorkerInfo> {
    realm
        .service::<client::ServiceWorkerClient>()
        .and_then(|client| client.controller_info())
}

/// Lets a window have its creator's controller until the component has answered: the scripts that
/// made it see it at once.
pub(crate) fn inherit_controller(realm: &Realm, controller: ServiceWorkerInfo) {
    if let Some(client) = realm.service::<client::ServiceWorkerClient>() {
        client.inherit_controller(controller);
    }
}

/// Whether a realm's scripts may run: they can see from the start who controls the client. What is
/// no client waits for nothing.
pub(crate) fn controller_is_known(realm: &Realm) -> bool {
    realm
        .service::<client::ServiceWorkerClient>()
        .is_none_or(|client| client.controller_is_known())
}

/// Delivers the messages of service workers from now on; call it when the document has been
/// parsed.
///
/// <https://html.spec.whatwg.org/multipage/parsing.html#the-end>
pub fn enable_messages(realm: &Realm) {
    if let Some(client) = realm.service::<client::ServiceWorkerClient>() {
        client.enable_messages(realm);
    }
}

/// Ends what [`attach_window`] began; call it when the window is closed or its document goes away.
/// Promises that are pending stay so.
pub fn detach(realm: &Realm) {
    let client: Option<Rc<client::ServiceWorkerClient>> = realm.service();
    if let Some(client) = client {
        client.detach(realm);
    }
}
