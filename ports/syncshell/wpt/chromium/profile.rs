//! The folder in which a browser keeps what it knows.

use std::fs;
use std::path::Path;

use base::time::Clock as _;
use serde_json::{Value, json};
use url::Url;

use crate::clock::SystemClock;

/// The most that Chromium gives a site that is used much.
const FULL_SCORE: f64 = 100.0;

/// From 1601, from which Chromium counts, to 1970.
const MICROSECONDS_TO_1970: f64 = 11_644_473_600_000_000.0;

/// A year, in microseconds.
const YEAR: f64 = 365.0 * 86_400_000_000.0;

/// Make a profile in which the user uses the site of the test much: in one without, Chromium fires no
/// periodic syncs.
pub(super) fn make(folder: &Path, test: &Url) -> Result<(), String> {
    let folder = folder.join("Default");
    let now = SystemClock::new().now().wall.as_millis();
    let text = preferences(test, now).to_string();
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("Preferences"), text))
        .map_err(|error| format!("cannot make a profile: {error}"))
}

/// The time is in milliseconds since 1970.
fn preferences(test: &Url, now: i64) -> Value {
    let host = test.host_str().unwrap_or_default();
    let port = test.port_or_known_default().unwrap_or_default();
    let site = format!("{}://{host}:{port},*", test.scheme());
    // The score becomes less with the time since then. Tests move the clock by months.
    #[expect(
        clippy::cast_precision_loss,
        reason = "Chromium keeps times in such numbers"
    )]
    let last_used = now as f64 * 1000.0 + MICROSECONDS_TO_1970 + YEAR;
    let setting = json!({
        "lastEngagementTime": last_used,
        "lastShortcutLaunchTime": last_used,
        "pointsAddedToday": 0.0,
        "rawScore": FULL_SCORE,
    });
    json!({ "profile": { "content_settings": { "exceptions": {
        "site_engagement": { site: { "setting": setting } },
    } } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_of_the_test_is_used_much() {
        let test = Url::parse("https://web-platform.test:8443/a.html").unwrap();
        let preferences = preferences(&test, 0);
        let sites = &preferences["profile"]["content_settings"]["exceptions"]["site_engagement"];
        let site = &sites["https://web-platform.test:8443,*"]["setting"];
        assert_eq!(site["rawScore"], json!(100.0));
    }
}
