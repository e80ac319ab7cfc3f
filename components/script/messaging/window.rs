//! Messages to windows.
//!
//! <https://html.spec.whatwg.org/multipage/web-messaging.html#posting-messages>

use base::StorageKey;
use base::exception::DomExceptionName;
use url::Url;

use super::{discard, receive, transfer_list};
use crate::bindings::report::report_exception;
use crate::bindings::{Error, Fallible, Object, Realm, Value};
use crate::dom::event_target::EventTarget;
use crate::environment::Environment;
use crate::event_loop::EventLoop;
use crate::structured_clone;

/// Who may get a message.
enum TargetOrigin {
    Any,
    /// None for an opaque origin, which matches no other.
    Only(Option<StorageKey>),
}

/// <https://html.spec.whatwg.org/multipage/web-messaging.html#window-post-message-steps>
///
/// `source` is the window whose script posts; both are on the same event loop.
///
/// # Errors
///
/// A `SyntaxError` for a target origin that is no URL, and what serializing throws.
pub(crate) fn post(
    target: &Realm,
    source: &Realm,
    message: &Value,
    target_origin: &str,
    transfer: &[Object],
) -> Fallible<()> {
    let environment = Environment::of(source)?;
    // Step 3 to 5
    let target_origin = match target_origin {
        "*" => TargetOrigin::Any,
        "/" => TargetOrigin::Only(environment.origin.clone()),
        other => TargetOrigin::Only(parse_origin(other)?),
    };
    // Step 7
    let message =
        structured_clone::serialize_with_transfer(source, message, &transfer_list(transfer))?;
    let Some(event_loop) = target.service::<EventLoop>() else {
        return Ok(());
    };
    // Step 8
    let origin = environment.serialized_origin();
    let ticket = event_loop.keep((target.root(), source.global_value()));
    event_loop.sender().queue(move |event_loop| {
        let Some((target, source)) = ticket.take(event_loop) else {
            return;
        };
        if !matches(&target, &target_origin) {
            discard(&target, &message.bytes);
            return;
        }
        let event = receive(&target, &message.bytes).into_event(&target, origin, &source);
        match (target.global::<EventTarget>(), event) {
            (Some(window), Ok(event)) => {
                window.dispatch_trusted(&target, &event);
            }
            (_, Err(error)) => report_exception(&target, error),
            (None, _) => {}
        }
    });
    Ok(())
}

fn parse_origin(text: &str) -> Fallible<Option<StorageKey>> {
    match Url::parse(text) {
        Ok(url) => Ok(StorageKey::from_url(&url).ok()),
        Err(_) => Err(Error::dom(
            DomExceptionName::SyntaxError,
            format!("\"{text}\" is not a target origin."),
        )),
    }
}

fn matches(target: &Realm, wanted: &TargetOrigin) -> bool {
    match wanted {
        TargetOrigin::Any => true,
        TargetOrigin::Only(None) => false,
        TargetOrigin::Only(wanted) => {
            Environment::of(target).is_ok_and(|environment| environment.origin == *wanted)
        }
    }
}
