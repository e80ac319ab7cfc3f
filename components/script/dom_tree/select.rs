//! CSS selectors over the tree, with the matching engine of Servo and Firefox.
//!
//! <https://drafts.csswg.org/selectors-4/>

use base::exception::{DomException, DomExceptionName};
use html5ever::tree_builder::QuirksMode as DocumentQuirksMode;
use html5ever::{Namespace, ns};
use selectors::attr::{AttrSelectorOperation, CaseSensitivity, NamespaceConstraint};
use selectors::bloom::BloomFilter;
use selectors::context::{
    MatchingContext, MatchingForInvalidation, MatchingMode, NeedsSelectorFlags, QuirksMode,
    SelectorCaches,
};
use selectors::matching::{ElementSelectorFlags, matches_selector_list};
use selectors::parser::{ParseRelative, SelectorList};
use selectors::{Element, OpaqueElement};

use super::node::{ElementData, NodeData, NodeId};
use super::selector_grammar::{Grammar, Name, PseudoClass, PseudoElement, Text};
use super::tree::Tree;

/// A parsed list of selectors.
#[derive(Clone, Debug)]
pub struct Selectors(SelectorList<Grammar>);

impl Selectors {
    /// Parse the text of a selector list.
    ///
    /// <https://drafts.csswg.org/selectors-4/#parse-a-selector>
    ///
    /// # Errors
    ///
    /// `SyntaxError` when it is not a valid one.
    pub fn parse(text: &str) -> Result<Self, DomException> {
        let mut input = cssparser::Parser::new(text);
        input
            .parse_entirely(|input| SelectorList::parse(&Grammar, input, ParseRelative::No))
            .map(Self)
            .map_err(|_| {
                DomException::new(
                    DomExceptionName::SyntaxError,
                    format!("'{text}' is not a valid selector."),
                )
            })
    }

    /// Whether an element matches, where `:scope` is `scope`.
    ///
    /// <https://drafts.csswg.org/selectors-4/#match-a-selector-against-an-element>
    pub fn matches(&self, tree: &Tree, node: NodeId, scope: NodeId) -> bool {
        self.matches_cached(tree, node, scope, &mut SelectorCaches::default())
    }

    /// The first element below `root` that matches.
    pub fn query_first(&self, tree: &Tree, root: NodeId) -> Option<NodeId> {
        self.matching(tree, root).next()
    }

    /// The elements below `root` that match, in tree order.
    ///
    /// <https://dom.spec.whatwg.org/#scope-match-a-selectors-string>
    pub fn query_all(&self, tree: &Tree, root: NodeId) -> Vec<NodeId> {
        self.matching(tree, root).collect()
    }

    /// The element itself or the nearest element above it that matches.
    ///
    /// <https://dom.spec.whatwg.org/#dom-element-closest>
    pub fn closest(&self, tree: &Tree, node: NodeId) -> Option<NodeId> {
        tree.inclusive_ancestors(node)
            .find(|ancestor| self.matches(tree, *ancestor, node))
    }

    fn matching<'a>(&'a self, tree: &'a Tree, root: NodeId) -> impl Iterator<Item = NodeId> + 'a {
        let mut caches = SelectorCaches::default();
        tree.descendants(root)
            .filter(move |node| self.matches_cached(tree, *node, root, &mut caches))
    }

    fn matches_cached(
        &self,
        tree: &Tree,
        node: NodeId,
        scope: NodeId,
        caches: &mut SelectorCaches,
    ) -> bool {
        if tree.element(node).is_none() {
            return false;
        }
        let quirks_mode = match tree.quirks_mode() {
            DocumentQuirksMode::Quirks => QuirksMode::Quirks,
            DocumentQuirksMode::LimitedQuirks => QuirksMode::LimitedQuirks,
            DocumentQuirksMode::NoQuirks => QuirksMode::NoQuirks,
        };
        let mut context = MatchingContext::new(
            MatchingMode::Normal,
            None,
            caches,
            quirks_mode,
            NeedsSelectorFlags::No,
            MatchingForInvalidation::No,
        );
        if tree.element(scope).is_some() {
            context.scope_element = Some(Place { tree, node: scope }.opaque());
        }
        matches_selector_list(&self.0, Place { tree, node }, &mut context)
    }
}

/// An element in its tree.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    tree: &'a Tree,
    node: NodeId,
}

impl<'a> Place<'a> {
    fn element(self, node: NodeId) -> Option<Self> {
        self.tree.element(node).map(|_| Self { node, ..self })
    }

    fn data(self) -> Option<&'a ElementData> {
        self.tree.element(self.node)
    }

    fn is_html_and(self, test: impl Fn(&ElementData) -> bool) -> bool {
        self.data()
            .is_some_and(|data| data.name.ns == ns!(html) && test(data))
    }

    /// <https://html.spec.whatwg.org/multipage/#concept-element-disabled>
    fn is_disabled(self) -> bool {
        let controls = ["button", "input", "select", "textarea"];
        self.is_html_and(|data| match &*data.name.local {
            "optgroup" | "option" | "fieldset" => data.has_attribute("disabled"),
            name if controls.contains(&name) => {
                data.has_attribute("disabled") || self.is_in_disabled_fieldset()
            }
            _ => false,
        })
    }

    /// Whether a disabled `fieldset` is above it, and it is not in that one's first `legend`.
    fn is_in_disabled_fieldset(self) -> bool {
        let mut below = self.node;
        for ancestor in self.tree.inclusive_ancestors(self.node).skip(1) {
            let is = |node, name| {
                self.tree
                    .element(node)
                    .is_some_and(|data| data.is_html(name))
            };
            if is(ancestor, "fieldset") {
                let disabled = self
                    .tree
                    .element(ancestor)
                    .is_some_and(|data| data.has_attribute("disabled"));
                let legend = self
                    .tree
                    .child_elements(ancestor)
                    .find(|child| is(*child, "legend"));
                if disabled && legend != Some(below) {
                    return true;
                }
            }
            below = ancestor;
        }
        false
    }

    /// Whether `:enabled` and `:disabled` say anything about it.
    fn can_be_disabled(self) -> bool {
        let names = [
            "button", "input", "select", "textarea", "optgroup", "option", "fieldset",
        ];
        self.is_html_and(|data| names.contains(&&*data.name.local))
    }
}

impl Element for Place<'_> {
    type Impl = Grammar;

    fn opaque(&self) -> OpaqueElement {
        OpaqueElement::new(self.tree.node(self.node))
    }

    fn parent_element(&self) -> Option<Self> {
        self.element(self.tree.node(self.node).parent()?)
    }

    fn parent_node_is_shadow_root(&self) -> bool {
        false
    }

    fn containing_shadow_host(&self) -> Option<Self> {
        None
    }

    fn is_pseudo_element(&self) -> bool {
        false
    }

    fn prev_sibling_element(&self) -> Option<Self> {
        std::iter::successors(self.tree.node(self.node).previous_sibling(), |id| {
            self.tree.node(*id).previous_sibling()
        })
        .find_map(|id| self.element(id))
    }

    fn next_sibling_element(&self) -> Option<Self> {
        std::iter::successors(self.tree.node(self.node).next_sibling(), |id| {
            self.tree.node(*id).next_sibling()
        })
        .find_map(|id| self.element(id))
    }

    fn first_element_child(&self) -> Option<Self> {
        self.tree
            .children(self.node)
            .find_map(|id| self.element(id))
    }

    fn is_html_element_in_html_document(&self) -> bool {
        self.is_html_and(|_| true)
    }

    fn has_local_name(&self, local_name: &Name) -> bool {
        self.data()
            .is_some_and(|data| data.name.local == local_name.0)
    }

    fn has_namespace(&self, namespace: &Namespace) -> bool {
        self.data().is_some_and(|data| data.name.ns == *namespace)
    }

    fn is_same_type(&self, other: &Self) -> bool {
        let name = |place: &Self| place.data().map(|data| (&data.name.ns, &data.name.local));
        name(self) == name(other)
    }

    fn attr_matches(
        &self,
        namespace: &NamespaceConstraint<&Namespace>,
        local_name: &Name,
        operation: &AttrSelectorOperation<&Text>,
    ) -> bool {
        let in_namespace = |of: &Namespace| match namespace {
            NamespaceConstraint::Any => true,
            NamespaceConstraint::Specific(wanted) => of == *wanted,
        };
        self.data().is_some_and(|data| {
            data.attributes.iter().any(|attribute| {
                attribute.name.local == local_name.0
                    && in_namespace(&attribute.name.ns)
                    && operation.eval_str(&attribute.value)
            })
        })
    }

    fn match_non_ts_pseudo_class(
        &self,
        class: &PseudoClass,
        _context: &mut MatchingContext<Grammar>,
    ) -> bool {
        match class {
            PseudoClass::AnyLink | PseudoClass::Link => self.is_link(),
            PseudoClass::Checked => self.is_html_and(ElementData::is_checked),
            PseudoClass::Disabled => self.is_disabled(),
            PseudoClass::Enabled => self.can_be_disabled() && !self.is_disabled(),
            PseudoClass::User(_) => false,
        }
    }

    fn match_pseudo_element(
        &self,
        element: &PseudoElement,
        _context: &mut MatchingContext<Grammar>,
    ) -> bool {
        match *element {}
    }

    fn apply_selector_flags(&self, _flags: ElementSelectorFlags) {}

    fn is_link(&self) -> bool {
        self.is_html_and(|data| {
            ["a", "area"].contains(&&*data.name.local) && data.has_attribute("href")
        })
    }

    fn is_html_slot_element(&self) -> bool {
        false
    }

    fn has_id(&self, id: &Name, case: CaseSensitivity) -> bool {
        self.data()
            .and_then(|data| data.attribute("id"))
            .is_some_and(|value| case.eq(value.as_bytes(), id.0.as_bytes()))
    }

    fn has_class(&self, name: &Name, case: CaseSensitivity) -> bool {
        self.data()
            .and_then(|data| data.attribute("class"))
            .is_some_and(|value| {
                value
                    .split_ascii_whitespace()
                    .any(|class| case.eq(class.as_bytes(), name.0.as_bytes()))
            })
    }

    fn has_custom_state(&self, _name: &Name) -> bool {
        false
    }

    fn imported_part(&self, _name: &Name) -> Option<Name> {
        None
    }

    fn is_part(&self, _name: &Name) -> bool {
        false
    }

    fn is_empty(&self) -> bool {
        self.tree
            .children(self.node)
            .all(|child| match &self.tree.node(child).data {
                NodeData::Element(_) => false,
                NodeData::Text(text) => text.is_empty(),
                _ => true,
            })
    }

    fn is_root(&self) -> bool {
        self.tree.node(self.node).parent() == Some(self.tree.document())
    }

    fn add_element_unique_hashes(&self, _filter: &mut BloomFilter) -> bool {
        // No filter is used for matching.
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::{html_name, parse_fragment};

    const PAGE: &str = r#"
        <main id=app class="App wide">
          <h1>Outbox</h1>
          <ul id=list>
            <li id=a class="item done" data-id=1>A</li>
            <li id=b class=item data-id=2 lang=en-GB>B <input id=i type=checkbox checked></li>
            <li id=c class="item last" data-id=10><a id=l href=/x>C</a></li>
          </ul>
          <fieldset id=f disabled>
            <legend><input id=g></legend>
            <input id=j><button id=k disabled>K</button>
          </fieldset>
          <p id=e></p><p id=t>text</p>
          <svg id=s viewBox="0 0 1 1"><linearGradient id=lg></linearGradient></svg>
        </main>"#;

    fn page() -> Tree {
        let mut tree = Tree::new();
        let html = tree.create_element(html_name("html"));
        tree.append(tree.document(), html).unwrap();
        let fragment = parse_fragment(&mut tree, html, PAGE);
        tree.append(html, fragment).unwrap();
        tree
    }

    fn ids(tree: &Tree, nodes: &[NodeId]) -> String {
        let ids: Vec<&str> = nodes
            .iter()
            .map(|node| {
                let element = tree.element(*node).unwrap();
                element.attribute("id").unwrap_or(&element.name.local)
            })
            .collect();
        ids.join(" ")
    }

    #[test]
    fn selectors_find_what_css_says() {
        let tree = page();
        for (selector, expected) in [
            ("li", "a b c"),
            ("LI", "a b c"),
            ("#b", "b"),
            (".item.done", "a"),
            ("h1, #list", "h1 list"),
            ("main > ul", "list"),
            ("main > li", ""),
            ("main li a", "l"),
            ("li + li", "b c"),
            ("#a ~ li", "b c"),
            ("[data-id]", "a b c"),
            ("[data-id='1']", "a"),
            ("[data-id^='1']", "a c"),
            ("[data-id$='0']", "c"),
            ("[class*=as]", "c"),
            ("[class~=done]", "a"),
            ("[lang|=en]", "b"),
            ("[type=CHECKBOX]", "i"),
            ("[data-id='X' i]", ""),
            ("li:first-child", "a"),
            ("li:last-child", "c"),
            ("li:nth-child(2n+1)", "a c"),
            ("li:nth-last-child(1 of .item)", "c"),
            ("li:not(.done)", "b c"),
            ("li:not(.done, .last)", "b"),
            ("li:is(#a, #c)", "a c"),
            ("li:where(.last)", "c"),
            ("li:has(> a)", "c"),
            ("ul:has(:checked)", "list"),
            ("p:empty", "e"),
            ("h1:only-of-type", "h1"),
            (":root", "html"),
            (":root > body > main", "app"),
            (":checked", "i"),
            (":disabled", "f j k"),
            ("input:enabled", "i g"),
            (":any-link", "l"),
            ("li:hover", ""),
            ("linearGradient", "lg"),
            ("[viewBox]", "s"),
            ("*|main", "app"),
        ] {
            let selectors = Selectors::parse(selector).expect(selector);
            let found = selectors.query_all(&tree, tree.document());
            assert_eq!(ids(&tree, &found), expected, "{selector}");
            assert_eq!(
                selectors.query_first(&tree, tree.document()),
                found.first().copied()
            );
        }
    }

    #[test]
    fn what_is_not_a_selector_is_a_syntax_error() {
        for selector in [
            "", "li >", "..a", "li:nope", "[a=", "ul,", "::before", "a b)",
        ] {
            let error = Selectors::parse(selector).expect_err(selector);
            assert_eq!(error.name(), "SyntaxError", "{selector}");
        }
    }

    #[test]
    fn queries_stay_below_their_root_and_scope_is_the_root() {
        let tree = page();
        let all = |selector: &str, root| {
            let found = Selectors::parse(selector).unwrap().query_all(&tree, root);
            ids(&tree, &found)
        };
        let list = tree.element_by_id(tree.document(), "list").unwrap();
        assert_eq!(all("li", list), "a b c");
        assert_eq!(all("main li", list), "a b c", "ancestors outside count");
        assert_eq!(all("ul", list), "");
        assert_eq!(all(":scope > li.last", list), "c");
        let link = tree.element_by_id(list, "l").unwrap();
        let closest = |selector: &str| {
            let found = Selectors::parse(selector).unwrap().closest(&tree, link);
            found.map(|node| ids(&tree, &[node])).unwrap_or_default()
        };
        assert_eq!(closest("a"), "l");
        assert_eq!(closest("li, main"), "c");
        assert_eq!(closest("h1"), "");
        let selectors = Selectors::parse("ul > li").unwrap();
        let c = tree.element_by_id(list, "c").unwrap();
        assert!(selectors.matches(&tree, c, c));
        assert!(!selectors.matches(&tree, link, link));
    }
}
