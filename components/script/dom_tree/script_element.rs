//! Which `script` elements run, and when.

use net::is_javascript_mime_type;

use super::node::{ElementData, NodeId, ScriptState};
use super::tree::Tree;

/// <https://html.spec.whatwg.org/multipage/#concept-script-type>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptKind {
    /// A classic script.
    Classic,
    /// A module script.
    Module,
    /// An import map.
    ImportMap,
}

/// Where the text of a script is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ScriptSource {
    /// In the element.
    Inline {
        /// The text.
        text: String,
        /// The line of the document on which it starts, counted from 1; 1 for an element that a
        /// script made.
        line: u32,
    },
    /// Behind this URL, which is not parsed yet. An empty one is an error, to be reported by an
    /// `error` event on the element.
    External(String),
}

/// When a script runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptTiming {
    /// At once, while the parser, if there is one, waits.
    Immediately,
    /// As soon as it is there, while the parser waits.
    BlockingParser,
    /// After the document is parsed, in document order.
    AfterParsing,
    /// As soon as it is there, in the order of insertion.
    InOrder,
    /// As soon as it is there.
    Async,
}

/// A script that is to be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreparedScript {
    /// The element.
    pub element: NodeId,
    /// Classic, module or import map.
    pub kind: ScriptKind,
    /// Its text or URL.
    pub source: ScriptSource,
    /// When it runs.
    pub timing: ScriptTiming,
}

impl Tree {
    /// What to do with a `script` element that was inserted or has got children or a `src`. `None`
    /// when it does not run: not now, because it is empty or not in the document, or never,
    /// because it has run or is not JavaScript.
    ///
    /// <https://html.spec.whatwg.org/multipage/#prepare-the-script-element>
    pub fn prepare_script(&mut self, node: NodeId) -> Option<PreparedScript> {
        let element = self.element(node)?;
        let mut state = element.script;
        // Step 1: a script runs once.
        if state.already_started || !element.is_html("script") {
            return None;
        }
        // Steps 2 to 4: while it is prepared, it counts as not parser-inserted.
        let parser_inserted = std::mem::take(&mut state.parser_inserted);
        if parser_inserted && !element.has_attribute("async") {
            state.force_async = true;
        }
        let has_source_attribute = element.has_attribute("src");
        // Steps 5 to 7: one that is empty or not connected may be prepared again later.
        let text = self.child_text_content(node);
        let empty = !has_source_attribute && text.is_empty();
        // Steps 8 to 11: what is not JavaScript stays what it is.
        let kind = script_kind(element).filter(|_| !empty && self.is_connected(node));
        let Some(kind) = kind else {
            self.store_state(node, state);
            return None;
        };
        // Steps 12 to 14.
        if parser_inserted {
            state.parser_inserted = true;
            state.force_async = false;
        }
        state.already_started = true;
        let async_script = element.has_attribute("async") || state.force_async;
        let defer = element.has_attribute("defer");
        // Steps 17 to 19: scripts for older browsers, and for events of the oldest ones.
        let skipped = kind == ScriptKind::Classic
            && (element.has_attribute("nomodule") || is_for_another_event(element));
        let source = match element.attribute("src") {
            Some(url) => ScriptSource::External(url.to_owned()),
            None => ScriptSource::Inline {
                text,
                line: state.line.max(1),
            },
        };
        // Steps 31 to 34.
        let external = has_source_attribute || kind == ScriptKind::Module;
        let timing = match kind {
            ScriptKind::ImportMap => ScriptTiming::Immediately,
            _ if !external => ScriptTiming::Immediately,
            _ if async_script => ScriptTiming::Async,
            _ if !parser_inserted => ScriptTiming::InOrder,
            ScriptKind::Module => ScriptTiming::AfterParsing,
            ScriptKind::Classic if defer => ScriptTiming::AfterParsing,
            ScriptKind::Classic => ScriptTiming::BlockingParser,
        };
        self.store_state(node, state);
        (!skipped).then_some(PreparedScript {
            element: node,
            kind,
            source,
            timing,
        })
    }

    /// The `async` attribute of a script, as its IDL attribute reads it.
    ///
    /// <https://html.spec.whatwg.org/multipage/#dom-script-async>
    pub fn is_script_async(&self, node: NodeId) -> bool {
        self.element(node)
            .is_some_and(|element| element.script.force_async || element.has_attribute("async"))
    }

    /// From now on the `async` attribute alone says whether a script is asynchronous.
    ///
    /// <https://html.spec.whatwg.org/multipage/#script-force-async>
    pub fn clear_force_async(&mut self, node: NodeId) {
        if let Some(element) = self.node_mut(node).as_element_mut() {
            element.script.force_async = false;
        }
    }

    fn store_state(&mut self, node: NodeId, state: ScriptState) {
        if let Some(element) = self.node_mut(node).as_element_mut() {
            element.script = state;
        }
    }
}

/// The kind that `type` and `language` say, `None` for a data block.
fn script_kind(element: &ElementData) -> Option<ScriptKind> {
    let type_string = match (element.attribute("type"), element.attribute("language")) {
        (Some(""), _) | (None, None | Some("")) => "text/javascript".to_owned(),
        (Some(value), _) => value.trim_ascii().to_ascii_lowercase(),
        (None, Some(language)) => format!("text/{}", language.to_ascii_lowercase()),
    };
    match type_string.as_str() {
        "module" => Some(ScriptKind::Module),
        "importmap" => Some(ScriptKind::ImportMap),
        // Here parameters make it another type.
        other => {
            (!other.contains(';') && is_javascript_mime_type(other)).then_some(ScriptKind::Classic)
        }
    }
}

/// `<script for event>` of another target than the window's load.
fn is_for_another_event(element: &ElementData) -> bool {
    let (Some(target), Some(event)) = (element.attribute("for"), element.attribute("event")) else {
        return false;
    };
    let event = event.trim_ascii();
    !(target.trim_ascii().eq_ignore_ascii_case("window")
        && (event.eq_ignore_ascii_case("onload") || event.eq_ignore_ascii_case("onload()")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::{html_name, parse_fragment};

    /// The timing of a script that a script inserts.
    fn inserted(attributes: &[(&str, &str)], text: &str) -> Option<(ScriptKind, ScriptTiming)> {
        let mut tree = Tree::new();
        let html = tree.create_element(html_name("html"));
        tree.append(tree.document(), html).unwrap();
        let script = tree.create_element(html_name("script"));
        tree.set_text_content(script, text);
        let element = tree.node_mut(script).as_element_mut().unwrap();
        for (name, value) in attributes {
            element.set_attribute(name, *value);
        }
        assert_eq!(tree.prepare_script(script), None, "not in the document");
        tree.append(html, script).unwrap();
        let prepared = tree.prepare_script(script)?;
        assert_eq!(tree.prepare_script(script), None, "a script runs once");
        Some((prepared.kind, prepared.timing))
    }

    #[test]
    fn a_script_that_a_script_inserts_is_async_unless_it_says_otherwise() {
        use ScriptKind::{Classic, Module};
        assert_eq!(
            inserted(&[], "1"),
            Some((Classic, ScriptTiming::Immediately))
        );
        assert_eq!(
            inserted(&[("src", "a")], ""),
            Some((Classic, ScriptTiming::Async))
        );
        assert_eq!(
            inserted(&[("type", "module")], "1"),
            Some((Module, ScriptTiming::Async))
        );
        assert_eq!(inserted(&[], ""), None);
        let mut tree = Tree::new();
        let script = tree.create_element(html_name("script"));
        tree.append(tree.document(), script).unwrap();
        tree.node_mut(script)
            .as_element_mut()
            .unwrap()
            .set_attribute("src", "a");
        assert!(tree.is_script_async(script));
        tree.clear_force_async(script);
        assert!(!tree.is_script_async(script));
        assert_eq!(
            tree.prepare_script(script).unwrap().timing,
            ScriptTiming::InOrder
        );
    }

    #[test]
    fn only_javascript_runs() {
        for (type_, runs) in [
            ("", true),
            ("text/javascript", true),
            (" Application/JavaScript ", true),
            ("text/javascript1.5", true),
            ("application/x-ecmascript", true),
            ("application/jscript", false),
            ("text/javascript; charset=utf-8", false),
            ("text/template", false),
            ("application/json", false),
            ("module", true),
        ] {
            assert_eq!(inserted(&[("type", type_)], "1").is_some(), runs, "{type_}");
        }
        assert!(inserted(&[("language", "JavaScript")], "1").is_some());
        assert!(inserted(&[("language", "VBScript")], "1").is_none());
        assert!(inserted(&[("nomodule", "")], "1").is_none());
        assert!(inserted(&[("for", "document"), ("event", "onload")], "1").is_none());
        assert!(inserted(&[("for", "window"), ("event", "onload()")], "1").is_some());
    }

    #[test]
    fn a_script_from_inner_html_does_not_run() {
        let mut tree = Tree::new();
        let body = tree.create_element(html_name("body"));
        tree.append(tree.document(), body).unwrap();
        let fragment = parse_fragment(&mut tree, body, "<script>1</script>");
        tree.append(body, fragment).unwrap();
        let script = tree.elements_by_tag_name(body, "script")[0];
        assert_eq!(tree.prepare_script(script), None);
    }
}
