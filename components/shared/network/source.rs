use std::fmt;

use base::channel::Callback;

use crate::LinkSnapshot;

/// Where news about the system's links comes from. Supplied by the embedder; `net_monitor` has one
/// for Linux and one that follows a script.
pub trait NetworkSource: Send {
    /// Start to call `changed`, with what is so now as soon as that is known, and then with each
    /// change, in order. The source does not poll. It ends when the guard is dropped, and calls
    /// `changed` no more after that.
    ///
    /// A source that fails later than here calls `changed` with an unknown link state.
    ///
    /// # Errors
    ///
    /// When the system cannot be asked; the link state then stays unknown.
    fn start(
        self: Box<Self>,
        changed: Callback<LinkSnapshot>,
    ) -> Result<SourceGuard, NetworkSourceError>;
}

/// Keeps a [`NetworkSource`] going; stops it when dropped, and waits until it has stopped.
pub struct SourceGuard(Option<Box<dyn FnOnce() + Send>>);

impl SourceGuard {
    /// A guard that calls `stop` when it is dropped.
    pub fn new(stop: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(stop)))
    }
}

impl Drop for SourceGuard {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

impl fmt::Debug for SourceGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SourceGuard")
    }
}

/// Why the system cannot be asked about its links. The environment is at fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkSourceError {
    /// What was tried.
    pub operation: String,
    /// What the system said.
    pub reason: String,
}

impl fmt::Display for NetworkSourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "cannot follow the system's network links: {} failed: {}",
            self.operation, self.reason
        )
    }
}

impl std::error::Error for NetworkSourceError {}
