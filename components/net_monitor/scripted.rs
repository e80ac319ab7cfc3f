use std::fmt;
use std::sync::Arc;

use base::channel::Callback;
use network_traits::{
    LinkSnapshot, LinkState, NetworkIdentity, NetworkSource, NetworkSourceError, SourceGuard,
};
use parking_lot::Mutex;

/// What the script has said so far, and whom to tell.
#[derive(Default)]
struct Scripted {
    snapshot: Option<LinkSnapshot>,
    changed: Option<Callback<LinkSnapshot>>,
}

/// A network source that says what its [`NetworkScript`] tells it to. Until the script has said
/// something the link state is unknown.
pub struct ScriptedSource(Arc<Mutex<Scripted>>);

/// The writing end of a [`ScriptedSource`]. Cheap to clone.
#[derive(Clone)]
pub struct NetworkScript(Arc<Mutex<Scripted>>);

impl ScriptedSource {
    /// A source and the script that it follows.
    pub fn new() -> (Self, NetworkScript) {
        let scripted = Arc::default();
        (Self(Arc::clone(&scripted)), NetworkScript(scripted))
    }
}

impl NetworkScript {
    /// From now on the links are like this. Said before the source is started, it is what the
    /// source starts with.
    pub fn set(&self, snapshot: LinkSnapshot) {
        let mut scripted = self.0.lock();
        scripted.snapshot = Some(snapshot);
        // Called under the lock, so that snapshots arrive in order, and none after the source
        // has been stopped.
        if let Some(changed) = &scripted.changed {
            changed.call(snapshot);
        }
    }

    /// From now on the links get this far; when routable, it is always the same network.
    pub fn set_link(&self, link: LinkState) {
        let identity = (link == LinkState::Routable).then_some(NetworkIdentity(1));
        self.set(LinkSnapshot {
            link,
            identity,
            ..LinkSnapshot::default()
        });
    }
}

impl NetworkSource for ScriptedSource {
    fn start(
        self: Box<Self>,
        changed: Callback<LinkSnapshot>,
    ) -> Result<SourceGuard, NetworkSourceError> {
        let mut scripted = self.0.lock();
        if let Some(snapshot) = scripted.snapshot {
            changed.call(snapshot);
        }
        scripted.changed = Some(changed);
        drop(scripted);
        Ok(SourceGuard::new(move || self.0.lock().changed = None))
    }
}

impl fmt::Debug for ScriptedSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ScriptedSource")
    }
}

impl fmt::Debug for NetworkScript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetworkScript")
    }
}
