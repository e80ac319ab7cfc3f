//! Which interface the object of a node implements.

use std::rc::Rc;

use html5ever::ns;

use super::character_data::CharacterData;
use super::comment::Comment;
use super::document_fragment::DocumentFragment;
use super::document_type::DocumentType;
use super::element::Element;
use super::html_anchor_element::HtmlAnchorElement;
use super::html_base_element::HtmlBaseElement;
use super::html_body_element::HtmlBodyElement;
use super::html_button_element::HtmlButtonElement;
use super::html_element::HtmlElement;
use super::html_form_element::HtmlFormElement;
use super::html_iframe_element::HtmlIframeElement;
use super::html_input_element::HtmlInputElement;
use super::html_link_element::HtmlLinkElement;
use super::html_meta_element::HtmlMetaElement;
use super::html_output_element::HtmlOutputElement;
use super::html_script_element::HtmlScriptElement;
use super::html_template_element::HtmlTemplateElement;
use super::html_text_area_element::HtmlTextAreaElement;
use super::html_unknown_element::HtmlUnknownElement;
use super::node::Node;
use super::node_store::NodeStore;
use super::text::Text;
use crate::bindings::{Dom, Error, Fallible, HasInterface, Realm};
use crate::dom_tree::{NodeData, NodeId};

/// Elements of HTML that have no interface of their own here, or none in the standard.
const HTML_NAMES: &str = " abbr address area article aside audio b base bdi bdo blockquote br canvas \
    caption center cite code col colgroup data datalist dd del details dfn dialog div dl dt em embed \
    fieldset figcaption figure footer h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img ins \
    kbd label legend li link main map mark menu meta meter nav noscript object ol optgroup option p \
    param picture pre progress q rp rt ruby s samp search section select slot small source span \
    strong style sub summary sup table tbody td tfoot th thead time title tr track u ul var video \
    wbr acronym basefont big dir font frame frameset marquee nobr noembed noframes plaintext rb rtc \
    strike tt xmp listing ";

fn new<T: HasInterface>(realm: &Realm, object: T) -> Fallible<Dom<Node>> {
    Dom::new(realm, object)?
        .upcast()
        .ok_or_else(|| Error::Type("The interface does not inherit from Node.".to_owned()))
}

/// Make the object of a node. The document's is made with its window.
///
/// <https://html.spec.whatwg.org/multipage/dom.html#elements-in-the-dom>
pub(super) fn create(realm: &Realm, store: &Rc<NodeStore>, id: NodeId) -> Fallible<Dom<Node>> {
    let node = Node::new_inherited(store, id);
    let name = {
        let tree = store.tree.borrow();
        match &tree.node(id).data {
            NodeData::Element(element) => {
                let is_html = element.name.ns == ns!(html);
                is_html.then(|| element.name.local.clone())
            }
            NodeData::Text(_) => {
                drop(tree);
                return new(
                    realm,
                    Text {
                        parent: CharacterData { parent: node },
                    },
                );
            }
            NodeData::Comment(_) => {
                drop(tree);
                return new(
                    realm,
                    Comment {
                        parent: CharacterData { parent: node },
                    },
                );
            }
            NodeData::ProcessingInstruction { .. } => {
                drop(tree);
                return new(realm, CharacterData { parent: node });
            }
            NodeData::DocumentType { .. } => {
                drop(tree);
                return new(realm, DocumentType { parent: node });
            }
            NodeData::DocumentFragment => {
                drop(tree);
                return new(realm, DocumentFragment { parent: node });
            }
            NodeData::Document => {
                return Err(Error::Type("The document has no object yet.".to_owned()));
            }
        }
    };
    let element = Element::new_inherited(node);
    let Some(name) = name else {
        return new(realm, element);
    };
    let parent = HtmlElement { parent: element };
    match &*name {
        "a" => new(realm, HtmlAnchorElement { parent }),
        "base" => new(realm, HtmlBaseElement { parent }),
        "body" => new(realm, HtmlBodyElement { parent }),
        "button" => new(realm, HtmlButtonElement { parent }),
        "form" => new(realm, HtmlFormElement { parent }),
        "iframe" => new(realm, HtmlIframeElement { parent }),
        "input" => new(realm, HtmlInputElement { parent }),
        "link" => new(realm, HtmlLinkElement { parent }),
        "meta" => new(realm, HtmlMetaElement { parent }),
        "output" => new(realm, HtmlOutputElement { parent }),
        "script" => new(realm, HtmlScriptElement { parent }),
        "template" => new(realm, HtmlTemplateElement::new_inherited(parent)),
        "textarea" => new(realm, HtmlTextAreaElement { parent }),
        // A name with a hyphen is that of a custom element.
        name if name.contains('-') || HTML_NAMES.contains(&format!(" {name} ")) => {
            new(realm, parent)
        }
        _ => new(realm, HtmlUnknownElement { parent }),
    }
}
