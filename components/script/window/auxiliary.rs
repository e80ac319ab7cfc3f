//! Windows that scripts open, and how windows are found by name.
//!
//! <https://html.spec.whatwg.org/multipage/nav-history-apis.html#window-open-steps>

use std::rc::Rc;

use url::Url;

use super::browsing_context::BrowsingContext;
use super::frames::about_blank;
use super::navigation::{Initiator, Navigation};
use super::open_document::OpenDocument;
use super::page::Page;
use super::sandbox::Restriction;
use crate::bindings::{Fallible, Realm, Value};
use crate::environment::Environment;

/// `window.open()`. Gives the proxy of the window, or null.
///
/// # Errors
///
/// A `SyntaxError` for what is no URL.
pub(crate) fn open(realm: &Realm, url: &str, target: &str, features: &str) -> Fallible<Value> {
    let Some(page) = realm.service::<Page>() else {
        return Ok(Value::null());
    };
    // Step 3 and 4: the URL.
    let url = if url.is_empty() {
        None
    } else {
        Some(parse(realm, url)?)
    };
    // Step 5 to 13: the features.
    let has = |name: &str| {
        features
            .split([',', ' '])
            .any(|word| word.split('=').next() == Some(name) && !word.ends_with("=0"))
    };
    let no_referrer = has("noreferrer");
    let no_opener = has("noopener") || no_referrer;
    let initiator = Initiator::of(realm).map(|initiator| {
        if no_referrer {
            initiator.without_referrer()
        } else {
            initiator
        }
    });
    // Step 14 to 16: a window that is there, or a new one.
    let existing = find(&page, target);
    let is_new = existing.is_none();
    let context = match existing {
        Some(context) if !page.may_navigate(&context) => None,
        Some(context) => Some(context),
        None => create(&page, initiator.clone(), target, no_opener)?,
    };
    let Some(context) = context else {
        return Ok(Value::null());
    };
    if let Some(url) = url.filter(|url| !is_new || url.as_str() != "about:blank") {
        context.navigate(Navigation {
            replaces: is_new,
            initiator,
            ..Navigation::to(url)
        });
    }
    if no_opener {
        return Ok(Value::null());
    }
    Ok(context.proxy().unwrap_or_else(Value::null))
}

fn parse(realm: &Realm, url: &str) -> Fallible<Url> {
    Environment::of(realm)?.parse_url(url).map_err(|_| {
        crate::bindings::Error::dom(
            base::exception::DomExceptionName::SyntaxError,
            format!("'{url}' is not a valid URL."),
        )
    })
}

/// The browsing context that a name means to a document; none where a new window is wanted.
///
/// <https://html.spec.whatwg.org/multipage/document-sequences.html#the-rules-for-choosing-a-navigable>
pub(crate) fn find(page: &Page, name: &str) -> Option<Rc<BrowsingContext>> {
    let own = &page.context;
    match name.to_ascii_lowercase().as_str() {
        "" | "_self" => return Some(Rc::clone(own)),
        "_parent" => return Some(own.parent().unwrap_or_else(|| Rc::clone(own))),
        "_top" => return Some(own.top()),
        "_blank" => return None,
        _ => {}
    }
    let contexts = own.agent()?.contexts();
    contexts.into_iter().find(|context| {
        context.name() == name && !context.is_closing() && own.is_familiar_with(context)
    })
}

/// A new window; none where a sandbox forbids it. It lives in the agent of the one that opens it,
/// even if neither is to know of the other: whether they share a thread cannot be seen.
///
/// # Errors
///
/// The engine is out of memory.
pub(crate) fn create(
    page: &Page,
    initiator: Option<Initiator>,
    name: &str,
    no_opener: bool,
) -> Fallible<Option<Rc<BrowsingContext>>> {
    if page.sandbox.forbids(Restriction::Popups) {
        return Ok(None);
    }
    let Some(agent) = page.context.agent() else {
        return Ok(None);
    };
    let context = BrowsingContext::auxiliary(&agent, about_blank(), &page.context, no_opener);
    if page.sandbox.forbids(Restriction::FreePopups) {
        context.sandbox.set(page.sandbox);
    }
    if !name.eq_ignore_ascii_case("_blank") && !no_opener {
        context.set_name(name.to_owned());
    }
    if !no_opener {
        context.set_opener(Some(&page.context));
    }
    let document = OpenDocument::initial(&agent, &context, initiator)?;
    context.set_document(document);
    agent.add(&context);
    context.wake();
    Ok(Some(context))
}
