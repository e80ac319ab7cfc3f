//! What a click does.
//!
//! <https://dom.spec.whatwg.org/#eventtarget-activation-behavior>

use std::rc::Rc;

use url::Url;

use super::element::Element;
use super::html_element::HtmlElement;
use super::html_form_element::{HtmlFormElement, controls, owner};
use super::html_input_element::{input_type, is_checked};
use crate::bindings::generated::{EventInit, HtmlFormElementMethods};
use crate::bindings::{Fallible, Realm};
use crate::dom_tree::{NodeId, Selectors, Tree};
use crate::environment::Environment;
use crate::fetch::form_data::with_line_ends;
use crate::window::navigation::{Initiator, Navigation};
use crate::window::page::Page;
use crate::window::sandbox::{self, Restriction};
use crate::window::{auxiliary, base_url};

/// What is done when nobody cancels the click.
enum Activation {
    /// A checkbox or radio button has already changed; these are the values before.
    Toggle(Vec<(NodeId, Option<bool>)>),
    /// Where a link leads, and how.
    Follow(Url, Way),
    Submit(NodeId),
    Reset(NodeId),
}

/// Where a document that a link or form leads to is shown, and what it learns.
#[derive(Default)]
struct Way {
    target: String,
    no_opener: bool,
    no_referrer: bool,
}

impl Way {
    /// That of an element with these attributes, in a document with this target for all links.
    ///
    /// <https://html.spec.whatwg.org/multipage/links.html#get-an-element's-noopener>
    fn new(target: Option<&str>, rel: &str, default_target: impl FnOnce() -> String) -> Self {
        let target = target.map_or_else(default_target, ToOwned::to_owned);
        let has = |word: &str| {
            rel.split_ascii_whitespace()
                .any(|own| own.eq_ignore_ascii_case(word))
        };
        let no_referrer = has("noreferrer");
        let is_blank = target.eq_ignore_ascii_case("_blank");
        Self {
            no_opener: has("noopener") || no_referrer || is_blank && !has("opener"),
            no_referrer,
            target,
        }
    }
}

/// <https://html.spec.whatwg.org/multipage/interaction.html#dom-click>
pub(super) fn click(realm: &Realm, element: &HtmlElement) -> Fallible<()> {
    let id = element.node_id();
    // Step 1: a disabled control does nothing.
    if Selectors::parse(":disabled")?.matches(&element.tree(), id, id) {
        return Ok(());
    }
    let target = element
        .tree()
        .inclusive_ancestors(id)
        .find(|id| can_activate(&element.tree(), *id));
    let activation = match target {
        Some(target) => activation(realm, element, target)?,
        None => None,
    };
    // Step 3: a synthetic event.
    let init = EventInit {
        bubbles: true,
        cancelable: true,
        composed: true,
    };
    let goes_on = element.fire_event(realm, "click", &init)?;
    let Some(activation) = activation else {
        return Ok(());
    };
    match activation {
        Activation::Toggle(before) if !goes_on => {
            let mut tree = element.tree_mut();
            for (id, checked) in before {
                if let Some(data) = tree.node_mut(id).as_element_mut() {
                    data.control.checked = checked;
                }
            }
            Ok(())
        }
        _ if !goes_on => Ok(()),
        Activation::Toggle(_) => toggled(realm, element, target),
        Activation::Follow(url, way) => go(realm, Navigation::to(url), &way),
        Activation::Submit(form) => match element.wrap::<HtmlFormElement>(realm, Some(form))? {
            Some(form) => submit(realm, &form, target),
            None => Ok(()),
        },
        Activation::Reset(form) => match element.wrap::<HtmlFormElement>(realm, Some(form))? {
            Some(form) => form.reset(realm),
            None => Ok(()),
        },
    }
}

fn can_activate(tree: &Tree, id: NodeId) -> bool {
    tree.element(id).is_some_and(|element| {
        (element.is_html("a") || element.is_html("area")) && element.has_attribute("href")
            || element.is_html("button")
            || element.is_html("input")
    })
}

/// What the click on an element is going to do; checkboxes and radio buttons change at once.
///
/// <https://html.spec.whatwg.org/multipage/input.html#input-activation-behavior>
fn activation(realm: &Realm, near: &Element, target: NodeId) -> Fallible<Option<Activation>> {
    let (is_link, type_) = {
        let tree = near.tree();
        let Some(element) = tree.element(target) else {
            return Ok(None);
        };
        let type_ = if element.is_html("button") {
            let type_ = element
                .attribute("type")
                .unwrap_or_default()
                .to_ascii_lowercase();
            if ["reset", "button"].contains(&type_.as_str()) {
                type_
            } else {
                "submit".to_owned()
            }
        } else {
            input_type(element).to_owned()
        };
        (element.is_html("a") || element.is_html("area"), type_)
    };
    if is_link {
        let link = near.wrap::<Element>(realm, Some(target))?;
        let url = link
            .map(|link| link.reflected_url(realm, "href"))
            .unwrap_or_default();
        let tree = near.tree();
        // What is to be downloaded is not shown; there is nowhere to put it.
        let link = tree
            .element(target)
            .filter(|link| !link.has_attribute("download"));
        let Some((link, url)) = link.zip(Url::parse(&url).ok()) else {
            return Ok(None);
        };
        let rel = link.attribute("rel").unwrap_or_default();
        let way = Way::new(link.attribute("target"), rel, || default_target(realm));
        return Ok(Some(Activation::Follow(url, way)));
    }
    let form = owner(&near.tree(), target);
    Ok(match type_.as_str() {
        "checkbox" | "radio" => {
            let Some(input) = near.wrap::<Element>(realm, Some(target))? else {
                return Ok(None);
            };
            let checked = type_ == "radio" || !input.read(is_checked);
            let before = group(&near.tree(), target)
                .into_iter()
                .map(|id| {
                    (
                        id,
                        near.tree()
                            .element(id)
                            .and_then(|data| data.control.checked),
                    )
                })
                .collect();
            set_checked(&input, checked);
            Some(Activation::Toggle(before))
        }
        "submit" | "image" => form.map(Activation::Submit),
        "reset" => form.map(Activation::Reset),
        _ => None,
    })
}

/// Check or uncheck; of the radio buttons of a group at most one stays checked.
pub(super) fn set_checked(input: &Element, checked: bool) {
    let id = input.node_id();
    let group = group(&input.tree(), id);
    let mut tree = input.tree_mut();
    for member in group {
        if let Some(element) = tree.node_mut(member).as_element_mut() {
            if member == id {
                element.control.checked = Some(checked);
            } else if checked {
                element.control.checked = Some(false);
            }
        }
    }
}

/// The radio buttons that exclude one another, or the one input that is none.
///
/// <https://html.spec.whatwg.org/multipage/input.html#radio-button-group>
fn group(tree: &Tree, input: NodeId) -> Vec<NodeId> {
    let name_of = |id: NodeId| {
        let element = tree
            .element(id)
            .filter(|element| element.is_html("input"))?;
        let name = element.attribute("name").filter(|name| !name.is_empty())?;
        (input_type(element) == "radio").then_some(name)
    };
    let Some(name) = name_of(input) else {
        return vec![input];
    };
    let form = owner(tree, input);
    tree.inclusive_descendants(tree.root(input))
        .filter(|id| name_of(*id) == Some(name) && owner(tree, *id) == form)
        .collect()
}

fn toggled(realm: &Realm, near: &Element, target: Option<NodeId>) -> Fallible<()> {
    let Some(input) = near.wrap::<Element>(realm, target)? else {
        return Ok(());
    };
    if !input.tree().is_connected(input.node_id()) {
        return Ok(());
    }
    let init = EventInit {
        bubbles: true,
        composed: true,
        ..EventInit::default()
    };
    input.fire_event(realm, "input", &init)?;
    let init = EventInit {
        bubbles: true,
        ..EventInit::default()
    };
    input.fire_event(realm, "change", &init).map(drop)
}

/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#concept-form-submit>
pub(super) fn submit(
    realm: &Realm,
    form: &HtmlFormElement,
    submitter: Option<NodeId>,
) -> Fallible<()> {
    let init = EventInit {
        bubbles: true,
        cancelable: true,
        ..EventInit::default()
    };
    if !form.fire_event(realm, "submit", &init)? {
        return Ok(());
    }
    send(realm, form, submitter)
}

/// <https://html.spec.whatwg.org/multipage/forms.html#concept-submit-button>
pub(super) fn is_submit_button(element: &Element) -> bool {
    element.read(|data| {
        let type_ = data.attribute("type").unwrap_or_default();
        if data.is_html("button") {
            return !type_.eq_ignore_ascii_case("reset") && !type_.eq_ignore_ascii_case("button");
        }
        data.is_html("input") && matches!(input_type(data), "submit" | "image")
    })
}

/// Sends a form without asking it.
///
/// # Errors
///
/// A `TypeError` when what it names is not a URL.
pub(super) fn send(
    realm: &Realm,
    form: &HtmlFormElement,
    submitter: Option<NodeId>,
) -> Fallible<()> {
    if sandbox::forbids(realm, Restriction::Forms) {
        return Ok(());
    }
    // The button that was pressed may know better than the form.
    let by_button = |name: &str| {
        let tree = form.tree();
        let button = tree.element(submitter?)?;
        button.attribute(name).map(ToOwned::to_owned)
    };
    let target = by_button("formtarget").or_else(|| {
        let has_target = form.reflected_boolean("target");
        has_target.then(|| form.reflected("target").to_string())
    });
    let rel = form.reflected("rel").to_string();
    let way = Way::new(target.as_deref(), &rel, || default_target(realm));
    let action = by_button("formaction").filter(|action| !action.is_empty());
    let action = action.unwrap_or_else(|| form.action(realm).to_string());
    let mut url = Environment::of(realm)?.parse_url(&action)?;
    let method = by_button("formmethod").map(|method| method.to_ascii_lowercase());
    let method = method.unwrap_or_else(|| form.method(realm).to_string());
    let fields = entries(&form.tree(), form.node_id(), submitter);
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    // A file that nobody chose has no name.
    for (name, value) in fields {
        let value = with_line_ends(&value.unwrap_or_default());
        body.append_pair(&with_line_ends(&name), &value);
    }
    let body = body.finish();
    let has_query = matches!(url.scheme(), "http" | "https" | "data" | "file");
    match method.as_str() {
        "dialog" => {}
        "post" => {
            let navigation = Navigation {
                body: Some(body),
                ..Navigation::to(url)
            };
            return go(realm, navigation, &way);
        }
        _ => {
            if has_query {
                url.set_query(Some(&body));
            }
            return go(realm, Navigation::to(url), &way);
        }
    }
    Ok(())
}

/// Sends the browsing context elsewhere that a link or form names.
///
/// <https://html.spec.whatwg.org/multipage/links.html#following-hyperlinks-2>
fn go(realm: &Realm, navigation: Navigation, way: &Way) -> Fallible<()> {
    let Some(page) = realm.service::<Page>() else {
        return Ok(());
    };
    let initiator = Initiator::of(realm).map(|initiator| {
        if way.no_referrer {
            initiator.without_referrer()
        } else {
            initiator
        }
    });
    let navigation = Navigation {
        initiator: initiator.clone(),
        ..navigation
    };
    match auxiliary::find(&page, &way.target) {
        Some(context) if Rc::ptr_eq(&context, &page.context) => page.navigate(realm, navigation),
        Some(context) if !page.may_navigate(&context) => {}
        Some(context) => context.navigate(navigation),
        None => {
            let created = auxiliary::create(&page, initiator, &way.target, way.no_opener)?;
            if let Some(context) = created {
                context.navigate(Navigation {
                    replaces: true,
                    ..navigation
                });
            }
        }
    }
    Ok(())
}

/// Where links of a document lead that do not say it themselves.
fn default_target(realm: &Realm) -> String {
    let page = realm.service::<Page>();
    page.map(|page| base_url::target(&page)).unwrap_or_default()
}

/// <https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#constructing-the-form-data-set>
///
/// `None` stands for the file that nobody chose in a control for files.
pub(super) fn entries(
    tree: &Tree,
    form: NodeId,
    submitter: Option<NodeId>,
) -> Vec<(String, Option<String>)> {
    let disabled = Selectors::parse(":disabled").ok();
    let entry = |id: NodeId| {
        let element = tree.element(id)?;
        let name = element
            .attribute("name")
            .filter(|name| !name.is_empty())?
            .to_owned();
        if disabled
            .as_ref()
            .is_some_and(|disabled| disabled.matches(tree, id, id))
        {
            return None;
        }
        if element.is_html("textarea") {
            return Some((name, Some(super::html_text_area_element::value(tree, id))));
        }
        if element.is_html("button") {
            let value = element.attribute("value").unwrap_or_default().to_owned();
            return (submitter == Some(id)).then_some((name, Some(value)));
        }
        let counts = match input_type(element) {
            _ if !element.is_html("input") => false,
            "checkbox" | "radio" => is_checked(element),
            "submit" => submitter == Some(id),
            "file" => return Some((name, None)),
            "button" | "reset" | "image" => false,
            _ => true,
        };
        counts.then(|| (name, Some(super::html_input_element::value(element))))
    };
    controls(tree, form).into_iter().filter_map(entry).collect()
}
