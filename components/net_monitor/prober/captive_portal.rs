use std::io::Read;
use std::time::Duration;

use network_traits::{CaptivePortalCheck, ExpectedAnswer, ProbeOutcome};
use ureq::Agent;
use ureq::config::Config;

/// <https://www.rfc-editor.org/rfc/rfc6585#section-6>
const NETWORK_AUTHENTICATION_REQUIRED: u16 = 511;

/// Asks, and compares the answer. Blocks until then, or for the time limit.
pub(super) fn check(check: &CaptivePortalCheck, time_limit: Duration) -> ProbeOutcome {
    let config = Config::builder()
        .timeout_global(Some(time_limit))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .build();
    let answer = Agent::from(config)
        .get(check.url.as_str())
        // What somebody on the way has kept says nothing about now.
        .header("Cache-Control", "no-cache")
        .call();
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            log::debug!("no answer from {}: {error}", check.url);
            return ProbeOutcome::Failed;
        }
    };
    let status = response.status().as_u16();
    let is_expected = match &check.expected {
        ExpectedAnswer::Status(expected) => status == *expected,
        ExpectedAnswer::Body(expected) => {
            status == 200 && has_body(response.into_body().into_reader(), expected.as_bytes())
        }
    };
    if is_expected {
        ProbeOutcome::Reached
    } else if status >= 500 && status != NETWORK_AUTHENTICATION_REQUIRED {
        // The server itself, or one of its own proxies, is in trouble.
        ProbeOutcome::Failed
    } else {
        log::info!("a captive portal answers in place of {}", check.url);
        ProbeOutcome::Altered
    }
}

/// Reads no further than it takes to know.
fn has_body(mut body: impl Read, expected: &[u8]) -> bool {
    let mut read = Vec::new();
    let limit = expected.len() as u64 + 1;
    body.by_ref().take(limit).read_to_end(&mut read).is_ok() && read == expected
}
