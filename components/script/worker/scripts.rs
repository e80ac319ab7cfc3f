//! `importScripts()`, and waiting for what is fetched.

use std::rc::Rc;

use base::channel::Callback;
use base::exception::DomExceptionName;
use crossbeam_channel::{Receiver, after, bounded, select};
use net::{Destination, FetchResult, Request, RequestMode, Response, is_javascript_mime_type};
use url::Url;

use crate::bindings::{Error, Fallible, Realm, UsvString};
use crate::environment::Environment;
use crate::fetch::fetcher::Fetcher;
use crate::service_worker::{import, worker::Worker};
use crate::watchdog::Watchdog;

/// Waits for scripts in the middle of a task. A service of a worker's realm.
pub(crate) struct ScriptWaiter {
    pub(super) watchdog: Rc<Watchdog>,
    /// Disconnected when the worker is to end.
    pub(super) ending: Receiver<()>,
    pub(super) is_module: bool,
}

impl ScriptWaiter {
    /// # Errors
    ///
    /// The global object is no worker's.
    pub(crate) fn of(realm: &Realm) -> Fallible<Rc<Self>> {
        realm.service().ok_or_else(|| {
            let message = "The global object belongs to no worker.";
            Error::dom(DomExceptionName::InvalidStateError, message)
        })
    }

    /// Waits for a fetch, or says why it was given up. The wait does not count as running, but the
    /// waits of one task together are as limited as its running is.
    ///
    /// # Errors
    ///
    /// Why it was given up.
    pub(crate) fn fetch(
        &self,
        fetcher: &Fetcher,
        request: Request,
    ) -> Result<FetchResult, &'static str> {
        const LATE: &str = "the server took longer than the time limit for scripts";

        self.watchdog.paused(|left| {
            if left.is_zero() {
                return Err(LATE);
            }
            wait_for(fetcher, request, &self.ending, &after(left)).map_err(|end| match end {
                WaitEnd::Ending => ENDING,
                WaitEnd::Late => LATE,
            })
        })
    }
}

/// Why a fetch is given up when its worker ends.
pub(super) const ENDING: &str = "the worker is being ended";

/// Why a wait ended without a response.
pub(super) enum WaitEnd {
    Ending,
    Late,
}

/// Waits for a fetch until `ending` is disconnected or `late` says something.
pub(super) fn wait_for<T>(
    fetcher: &Fetcher,
    request: Request,
    ending: &Receiver<()>,
    late: &Receiver<T>,
) -> Result<FetchResult, WaitEnd> {
    let (sender, receiver) = bounded(1);
    let done = Callback::new(move |result: FetchResult| {
        // Nobody waits for it when the worker has ended.
        let _ = sender.send(result);
    });
    let course = fetcher.fetch(request, done);
    let end = select! {
        recv(receiver) -> result => return result.map_err(|_| WaitEnd::Ending),
        recv(ending) -> _ => WaitEnd::Ending,
        recv(late) -> _ => WaitEnd::Late,
    };
    course.cancel();
    Err(end)
}

/// <https://html.spec.whatwg.org/multipage/workers.html#import-scripts-into-worker-global-scope>
///
/// # Errors
///
/// A `TypeError` in a module, a `SyntaxError` for what is not a URL, a `NetworkError` for a script
/// that cannot be had, and what a script throws.
pub(crate) fn import_scripts(realm: &Realm, urls: &[UsvString]) -> Fallible<()> {
    let waiter = ScriptWaiter::of(realm)?;
    // Step 1
    if waiter.is_module {
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
        let source = match realm.service::<Worker>() {
            Some(worker) => import::script_text(realm, &worker, &url)?,
            None => script_text(realm, &waiter, &url)?,
        };
        let is_own = environment
            .origin
            .as_ref()
            .is_some_and(|origin| origin.contains(&url));
        match realm.evaluate(&source, url.as_str()) {
            Ok(_) => {}
            // What a script of another origin throws is not to be read.
            Err(Error::Thrown(value)) if !is_own && is_http(&url) && !value.is_uncatchable() => {
                return Err(unavailable(&url, "it threw an exception"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-a-classic-worker-imported-script>
fn script_text(realm: &Realm, waiter: &ScriptWaiter, url: &Url) -> Fallible<String> {
    let environment = Environment::of(realm)?;
    if let Some(blob) = environment.services.user_agent.blob_urls.resolve(url) {
        return Ok(decode(&blob.bytes));
    }
    let request = Request {
        mode: RequestMode::NoCors,
        origin: environment.origin.clone().into(),
        ancestor_origins: environment.ancestor_origins.clone(),
        destination: Destination::Script,
        referrer: environment.referrer_source(),
        referrer_policy: environment.referrer_policy(),
        ..Request::new(url.clone())
    };
    let result = waiter.fetch(&Fetcher::of(realm)?, request);
    let response = match &result {
        Ok(Ok(response)) => response.unfiltered(),
        Ok(Err(error)) => return Err(unavailable(url, &error.to_string())),
        Err(reason) => return Err(unavailable(url, reason)),
    };
    check(response).map_err(|reason| unavailable(url, &reason))?;
    Ok(decode(&response.body))
}

/// Whether a response is a script.
///
/// # Errors
///
/// Why it is none.
pub(crate) fn check(response: &Response) -> Result<(), String> {
    if !(200..300).contains(&response.status) {
        return Err(format!(
            "the server answered with status {}",
            response.status
        ));
    }
    let content_type = response.header("content-type").unwrap_or_default();
    let content_type = String::from_utf8_lossy(&content_type);
    if is_javascript_mime_type(&content_type) {
        Ok(())
    } else {
        let reason = format!("its type \"{content_type}\" is not one of JavaScript");
        Err(reason)
    }
}

/// A script that cannot be had.
pub(crate) fn unavailable(url: &Url, reason: &str) -> Error {
    let message = format!("The script {url} could not be imported: {reason}.");
    Error::dom(DomExceptionName::NetworkError, message)
}

/// A script's text: UTF-8, whatever the server says.
pub(crate) fn decode(body: &[u8]) -> String {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    String::from_utf8_lossy(body).into_owned()
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_utf_8_with_or_without_a_mark() {
        assert_eq!(decode("\u{feff}é".as_bytes()), "é");
        assert_eq!(decode(b"a\xff"), "a\u{fffd}");
    }
}
