use std::time::Duration;

use base::StorageKey;
use base::channel::Callback;
use serde::{Deserialize, Serialize};
use url::Url;

/// One probe. A monitor never uses the same number twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ProbeId(pub u64);

/// What a probe is to try.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ProbeTarget {
    /// Whether a TCP connection to the origin's host and port can be made.
    Origin(StorageKey),
    /// Whether the answer to an HTTP request comes from the server that was asked.
    CaptivePortal(CaptivePortalCheck),
}

/// A URL whose answer is known, so that another answer gives a captive portal away. Supplied by the
/// embedder.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CaptivePortalCheck {
    /// What to get. Its scheme is `http`: only what is not encrypted can be answered by somebody
    /// else.
    pub url: Url,
    /// What its server answers.
    pub expected: ExpectedAnswer,
}

/// What the server answers when nobody interferes. A redirect is never it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum ExpectedAnswer {
    /// This status, with whatever body. 204 is the usual one.
    Status(u16),
    /// Status 200 and exactly this body.
    Body(String),
}

/// What a probe showed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum ProbeOutcome {
    /// The connection stands, or the expected answer came.
    Reached,
    /// There was no connection, or no answer.
    Failed,
    /// An answer came that is not the expected one. Only for [`ProbeTarget::CaptivePortal`].
    Altered,
}

/// Tries whether an origin can be reached. `net_monitor` has one; an embedder that has a network
/// stack of its own can supply another.
pub trait Prober: Send {
    /// Start a probe, and return at once. `ended` is called once when it has ended, unless it was
    /// cancelled before.
    ///
    /// The monitor cancels a probe that has not ended within `time_limit`; a prober need not watch
    /// it, but may use it to give up what cannot be cancelled.
    fn start(
        &mut self,
        id: ProbeId,
        target: ProbeTarget,
        time_limit: Duration,
        ended: Callback<ProbeOutcome>,
    );

    /// Stop a probe, and close its connection. An answer that is under way may still arrive. A probe
    /// that has ended, or never was, is none.
    fn cancel(&mut self, id: ProbeId);
}
