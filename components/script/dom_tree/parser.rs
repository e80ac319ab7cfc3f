//! html5ever's tree sink, and a driver that stops at each script.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use html5ever::buffer_queue::BufferQueue;
use html5ever::interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, Tracer, TreeSink};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{LocalName, Namespace, QualName, TokenizerResult};

use super::node::{Attribute, NodeData, NodeId};
use super::tree::Tree;

/// Why a parser stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParserStop {
    /// The end tag of this `script` element was read. What is to be done with it comes before
    /// anything else is parsed: see [`Tree::prepare_script`].
    Script(NodeId),
    /// There is no more input.
    OutOfInput,
}

/// Parses a document into a tree that its scripts share.
///
/// <https://html.spec.whatwg.org/multipage/#parsing>
pub struct DocumentParser {
    tokenizer: Tokenizer<DepthLimiter>,
    input: BufferQueue,
    /// What scripts have written since the parser stopped.
    written: String,
}

impl DocumentParser {
    /// A parser for the document of `tree`.
    pub fn new(tree: Rc<RefCell<Tree>>) -> Self {
        let document = tree.borrow().document();
        let sink = Sink {
            tree,
            document,
            is_fragment: false,
            line: Cell::new(1),
            open: RefCell::default(),
        };
        let builder = TreeBuilder::new(sink, TreeBuilderOpts::default());
        Self {
            tokenizer: Tokenizer::new(DepthLimiter(builder), TokenizerOpts::default()),
            input: BufferQueue::default(),
            written: String::new(),
        }
    }

    /// Add text to the end of the input.
    pub fn push(&mut self, text: &str) {
        self.input.push_back(StrTendril::from(text));
    }

    /// Put text to where the parser stopped; of several calls, the first one's text comes first.
    /// It is parsed when the parser goes on.
    ///
    /// <https://html.spec.whatwg.org/multipage/#document.write()>
    pub fn write(&mut self, text: &str) {
        self.written.push_str(text);
    }

    /// Whether there is text that has not been parsed.
    pub fn has_input(&self) -> bool {
        !self.written.is_empty() || !self.input.is_empty()
    }

    /// Parse on to the next script or the end of the input.
    pub fn run(&mut self) -> ParserStop {
        if !self.written.is_empty() {
            let written = std::mem::take(&mut self.written);
            self.input.push_front(StrTendril::from(written));
        }
        loop {
            match self.tokenizer.feed(&self.input) {
                TokenizerResult::Done => return ParserStop::OutOfInput,
                TokenizerResult::Script(script) => return ParserStop::Script(script),
                // The text was decoded before it got here.
                TokenizerResult::EncodingIndicator(_) => {}
            }
        }
    }

    /// There will be no more input: build what is still missing, such as the body.
    pub fn finish(self) {
        self.tokenizer.end();
    }
}

/// The children that `html` makes in an element like `context`, in a new fragment. Scripts among
/// them do not run.
///
/// <https://html.spec.whatwg.org/multipage/#html-fragment-parsing-algorithm>
pub fn parse_fragment(tree: &mut Tree, context: NodeId, html: &str) -> NodeId {
    let quirks_mode = tree.quirks_mode();
    let form = tree.inclusive_ancestors(context).find(|id| {
        tree.element(*id)
            .is_some_and(|element| element.is_html("form"))
    });
    let document = tree.create(NodeData::DocumentFragment);
    // A fragment as context stands for a template's contents.
    let context = match tree.element(context) {
        Some(_) => context,
        None => tree.create_element(super::node::html_name("template")),
    };
    let shared = Rc::new(RefCell::new(std::mem::take(tree)));
    let sink = Sink {
        tree: Rc::clone(&shared),
        document,
        is_fragment: true,
        line: Cell::new(1),
        open: RefCell::default(),
    };
    let options = TreeBuilderOpts {
        quirks_mode,
        ..TreeBuilderOpts::default()
    };
    let builder = TreeBuilder::new_for_fragment(sink, context, form, options);
    let tokenizer_options = TokenizerOpts {
        initial_state: Some(builder.tokenizer_state_for_context_elem(true)),
        ..TokenizerOpts::default()
    };
    let tokenizer = Tokenizer::new(DepthLimiter(builder), tokenizer_options);
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    while tokenizer.feed(&input) != TokenizerResult::Done {}
    tokenizer.end();
    *tree = shared.take();
    // The parser put everything into an `html` element.
    let result = tree.create(NodeData::DocumentFragment);
    if let Some(root) = tree.node(document).first_child() {
        while let Some(child) = tree.node(root).first_child() {
            tree.insert(result, child, None);
        }
    }
    result
}

/// The first encoding that a `meta` element of the text names.
pub(super) fn first_encoding_indicator(text: &str) -> Option<String> {
    let parser = {
        let mut parser = DocumentParser::new(Rc::default());
        parser.push(text);
        parser
    };
    loop {
        match parser.tokenizer.feed(&parser.input) {
            TokenizerResult::Done => return None,
            TokenizerResult::Script(_) => {}
            TokenizerResult::EncodingIndicator(label) => return Some(label.to_string()),
        }
    }
}

/// Builds the tree as html5ever says.
struct Sink {
    tree: Rc<RefCell<Tree>>,
    /// What the parser takes for the document: for a fragment, a node that is dropped later.
    document: NodeId,
    is_fragment: bool,
    line: Cell<u32>,
    /// The open elements, and some that are not open any more.
    open: RefCell<Vec<NodeId>>,
}

/// How many elements may be open at once: as many as in browsers.
const MAX_OPEN_ELEMENTS: usize = 512;

/// Closes the innermost element before a start tag that would go too deep. What is nested deeper
/// becomes siblings; without it the time for a document grows with the square of its depth.
struct DepthLimiter(TreeBuilder<NodeId, Sink>);

/// Collects what the tree builder refers to.
struct InUse(RefCell<HashSet<NodeId>>);

impl Tracer for InUse {
    type Handle = NodeId;

    fn trace_handle(&self, node: &NodeId) {
        self.0.borrow_mut().insert(*node);
    }
}

impl DepthLimiter {
    /// The element to close before one more is opened.
    fn too_deep(&self) -> Option<LocalName> {
        let sink = &self.0.sink;
        if sink.open.borrow().len() < MAX_OPEN_ELEMENTS {
            return None;
        }
        // Void elements and those that the tree builder has replaced are never said to be closed.
        let in_use = InUse(RefCell::default());
        self.0.trace_handles(&in_use);
        let in_use = in_use.0.into_inner();
        let mut open = sink.open.borrow_mut();
        open.retain(|node| in_use.contains(node));
        let innermost = open.last().filter(|_| open.len() >= MAX_OPEN_ELEMENTS)?;
        let tree = sink.tree.borrow();
        Some(tree.element(*innermost)?.name.local.clone())
    }
}

impl TokenSink for DepthLimiter {
    type Handle = NodeId;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<NodeId> {
        let opens = matches!(&token, Token::TagToken(tag) if tag.kind == TagKind::StartTag);
        if opens && let Some(name) = self.too_deep() {
            let end_tag = Tag {
                kind: TagKind::EndTag,
                name,
                self_closing: false,
                attrs: Vec::new(),
                had_duplicate_attributes: false,
            };
            // An end tag that makes the parser stop is of a script, within which no tag starts.
            let _ = self.0.process_token(Token::TagToken(end_tag), line);
        }
        self.0.process_token(token, line)
    }

    fn end(&self) {
        self.0.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.0
            .adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// A name that does not borrow the tree.
#[derive(Debug)]
struct OwnedName(QualName);

impl ElemName for OwnedName {
    fn ns(&self) -> &Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &LocalName {
        &self.0.local
    }
}

impl Sink {
    /// Insert into `parent` before `before`. Scripts may have moved nodes so that it would close a
    /// cycle; then nothing happens.
    fn insert(&self, parent: NodeId, child: NodeOrText<NodeId>, before: Option<NodeId>) {
        let mut tree = self.tree.borrow_mut();
        match child {
            NodeOrText::AppendNode(node) => {
                let has_children = tree.node(node).first_child().is_some();
                if node == parent || has_children && tree.is_inclusive_descendant(parent, node) {
                    return;
                }
                tree.insert(parent, node, before);
            }
            NodeOrText::AppendText(text) => {
                let previous = match before {
                    Some(before) => tree.node(before).previous_sibling(),
                    None => tree.node(parent).last_child(),
                };
                if let Some(previous) = previous
                    && let NodeData::Text(data) = &mut tree.node_mut(previous).data
                {
                    data.push_str(&text);
                    return;
                }
                let node = tree.create_text(text.to_string());
                tree.insert(parent, node, before);
            }
        }
    }
}

impl TreeSink for Sink {
    type Handle = NodeId;
    type Output = ();
    type ElemName<'a> = OwnedName;

    fn finish(self) {}

    fn parse_error(&self, message: Cow<'static, str>) {
        log::trace!("line {}: {message}", self.line.get());
    }

    fn pop(&self, node: &NodeId) {
        let mut open = self.open.borrow_mut();
        if let Some(place) = open.iter().rposition(|own| own == node) {
            open.remove(place);
        }
    }

    fn get_document(&self) -> NodeId {
        self.document
    }

    fn elem_name<'a>(&'a self, target: &'a NodeId) -> OwnedName {
        let tree = self.tree.borrow();
        let element = tree
            .element(*target)
            .expect("html5ever asks for names of elements only");
        OwnedName(element.name.clone())
    }

    fn create_element(
        &self,
        name: QualName,
        attributes: Vec<html5ever::Attribute>,
        flags: ElementFlags,
    ) -> NodeId {
        let mut tree = self.tree.borrow_mut();
        let node = tree.create_element(name);
        let Some(element) = tree.node_mut(node).as_element_mut() else {
            return node;
        };
        element.attributes = attributes.into_iter().map(Attribute::from).collect();
        element.mathml_annotation_xml_integration_point =
            flags.mathml_annotation_xml_integration_point;
        self.open.borrow_mut().push(node);
        element.script.line = self.line.get();
        if !self.is_fragment {
            element.script.parser_inserted = true;
            element.script.force_async = false;
        }
        node
    }

    fn create_comment(&self, text: StrTendril) -> NodeId {
        let data = NodeData::Comment(text.to_string());
        self.tree.borrow_mut().create(data)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> NodeId {
        let data = NodeData::ProcessingInstruction {
            target: target.to_string(),
            data: data.to_string(),
        };
        self.tree.borrow_mut().create(data)
    }

    fn append(&self, parent: &NodeId, child: NodeOrText<NodeId>) {
        self.insert(*parent, child, None);
    }

    fn append_based_on_parent_node(
        &self,
        element: &NodeId,
        previous_element: &NodeId,
        child: NodeOrText<NodeId>,
    ) {
        let parent = self.tree.borrow().node(*element).parent();
        match parent {
            Some(parent) => self.insert(parent, child, Some(*element)),
            None => self.insert(*previous_element, child, None),
        }
    }

    fn append_doctype_to_document(
        &self,
        name: StrTendril,
        public_id: StrTendril,
        system_id: StrTendril,
    ) {
        let mut tree = self.tree.borrow_mut();
        let doctype = tree.create(NodeData::DocumentType {
            name: name.to_string(),
            public_id: public_id.to_string(),
            system_id: system_id.to_string(),
        });
        tree.insert(self.document, doctype, None);
    }

    fn mark_script_already_started(&self, node: &NodeId) {
        if let Some(element) = self.tree.borrow_mut().node_mut(*node).as_element_mut() {
            element.script.already_started = true;
        }
    }

    fn get_template_contents(&self, target: &NodeId) -> NodeId {
        let contents = self
            .tree
            .borrow()
            .element(*target)
            .and_then(|element| element.template_contents);
        contents.expect("templates are created with contents")
    }

    fn same_node(&self, left: &NodeId, right: &NodeId) -> bool {
        left == right
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        if !self.is_fragment {
            self.tree.borrow_mut().set_quirks_mode(mode);
        }
    }

    fn append_before_sibling(&self, sibling: &NodeId, child: NodeOrText<NodeId>) {
        let parent = self.tree.borrow().node(*sibling).parent();
        if let Some(parent) = parent {
            self.insert(parent, child, Some(*sibling));
        }
    }

    fn add_attrs_if_missing(&self, target: &NodeId, attributes: Vec<html5ever::Attribute>) {
        let mut tree = self.tree.borrow_mut();
        let Some(element) = tree.node_mut(*target).as_element_mut() else {
            return;
        };
        for attribute in attributes {
            let same = |existing: &Attribute| existing.name == attribute.name;
            if !element.attributes.iter().any(same) {
                element.attributes.push(Attribute::from(attribute));
            }
        }
    }

    fn remove_from_parent(&self, target: &NodeId) {
        self.tree.borrow_mut().remove(*target);
    }

    fn reparent_children(&self, node: &NodeId, new_parent: &NodeId) {
        let children: Vec<NodeId> = self.tree.borrow().children(*node).collect();
        for child in children {
            self.insert(*new_parent, NodeOrText::AppendNode(child), None);
        }
    }

    fn is_mathml_annotation_xml_integration_point(&self, node: &NodeId) -> bool {
        self.tree
            .borrow()
            .element(*node)
            .is_some_and(|element| element.mathml_annotation_xml_integration_point)
    }

    fn set_current_line(&self, line: u64) {
        self.line.set(u32::try_from(line).unwrap_or(u32::MAX));
    }
}

impl From<html5ever::Attribute> for Attribute {
    fn from(attribute: html5ever::Attribute) -> Self {
        Self {
            name: attribute.name,
            value: attribute.value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dom_tree::{PreparedScript, ScriptKind, ScriptSource, ScriptTiming, html_name};

    fn parse(html: &str) -> Tree {
        let tree = Rc::new(RefCell::new(Tree::new()));
        let mut parser = DocumentParser::new(Rc::clone(&tree));
        parser.push(html);
        while parser.run() != ParserStop::OutOfInput {}
        parser.finish();
        tree.take()
    }

    /// The scripts at which a parser stops, and the last element that is in the tree then.
    fn stops(html: &str) -> Vec<(Option<PreparedScript>, usize)> {
        let tree = Rc::new(RefCell::new(Tree::new()));
        let mut parser = DocumentParser::new(Rc::clone(&tree));
        parser.push(html);
        let mut stops = Vec::new();
        while let ParserStop::Script(script) = parser.run() {
            let mut tree = tree.borrow_mut();
            let paragraphs = tree.elements_by_tag_name(tree.document(), "p").len();
            stops.push((tree.prepare_script(script), paragraphs));
        }
        stops
    }

    #[test]
    fn documents_become_the_trees_that_browsers_build() {
        for (html, expected) in [
            ("", "<html><head></head><body></body></html>"),
            (
                "<!doctype html><title>T</title><p>a<p>b",
                "<!DOCTYPE html><html><head><title>T</title></head><body><p>a</p><p>b</p></body></html>",
            ),
            (
                "<table>x<tr><td>y</table>",
                "<html><head></head><body>x<table><tbody><tr><td>y</td></tr></tbody></table></body></html>",
            ),
            (
                "<b><p>x</b>y</p>",
                "<html><head></head><body><b></b><p><b>x</b>y</p></body></html>",
            ),
            (
                "<!--c--><body class=a><div id='q\"'>&amp;&lt;&nbsp;</div><br><body id=b class=c>",
                "<!--c--><html><head></head><body class=\"a\" id=\"b\">\
                 <div id=\"q&quot;\">&amp;&lt;&nbsp;</div><br></body></html>",
            ),
            (
                "<noscript><p>no</noscript><textarea>\n<b></textarea><template><td>x</template>",
                "<html><head><noscript><p>no</noscript></head><body><textarea>&lt;b&gt;</textarea>\
                 <template><td>x</td></template></body></html>",
            ),
        ] {
            let tree = parse(html);
            assert_eq!(tree.inner_html(tree.document()), expected);
        }
    }

    #[test]
    fn elements_are_not_nested_deeper_than_the_limit() {
        for name in ["div", "b", "p><span", "svg><g"] {
            let tree = parse(&format!("<{name}>").repeat(2_000));
            let body = tree.body().unwrap();
            let elements = tree.elements_by_tag_name(body, "*");
            let depth = elements
                .iter()
                .map(|node| tree.inclusive_ancestors(*node).count())
                .max();
            // The document counts as well.
            assert!(depth.unwrap() <= MAX_OPEN_ELEMENTS + 1, "{name}: {depth:?}");
            assert!(elements.len() >= 2_000, "{name}");
        }
        let lines = "<p><b><i>x</b>y</i><br>".repeat(2_000);
        let tree = parse(&lines);
        let paragraphs = tree.elements_by_tag_name(tree.document(), "p");
        let body = tree.body();
        assert!(paragraphs.iter().all(|p| tree.node(*p).parent() == body));
    }

    #[test]
    fn the_parts_of_a_document_are_found() {
        let tree = parse("<title> My\n  mail </title><body><p id=x class='a b'>1</p><P class=a>2");
        assert_eq!(tree.title(), "My mail");
        let body = tree.body().unwrap();
        let root = tree.document();
        let paragraphs = tree.elements_by_tag_name(root, "P");
        assert_eq!(tree.children(body).collect::<Vec<_>>(), paragraphs);
        assert_eq!(tree.element_by_id(root, "x"), Some(paragraphs[0]));
        assert_eq!(tree.element_by_id(root, ""), None);
        assert_eq!(tree.elements_by_class_name(root, "a"), paragraphs);
        assert_eq!(
            tree.elements_by_class_name(root, "b A"),
            paragraphs[..1],
            "quirks mode"
        );
        assert_eq!(tree.elements_by_class_name(root, " "), []);
        assert_eq!(tree.elements_by_tag_name(root, "*").len(), 6);
        assert_eq!(tree.outer_html(paragraphs[1]), "<p class=\"a\">2</p>");
    }

    #[test]
    fn the_parser_stops_at_each_script_before_it_reads_on() {
        let stops = stops(
            "<script>one</script><p>\n<script src=two.js></script><p>\n\
             <script defer src=three.js></script>\n<script async src=four.js></script>\
             <script type=module>five</script><script type=text/plain>no</script><p>\
             <script>six\n</script>",
        );
        let scripts: Vec<_> = stops
            .iter()
            .map(|(script, paragraphs)| {
                let script = script.as_ref();
                (
                    script.map(|script| (script.kind, script.timing)),
                    *paragraphs,
                )
            })
            .collect();
        assert_eq!(
            scripts,
            [
                (Some((ScriptKind::Classic, ScriptTiming::Immediately)), 0),
                (Some((ScriptKind::Classic, ScriptTiming::BlockingParser)), 1),
                (Some((ScriptKind::Classic, ScriptTiming::AfterParsing)), 2),
                (Some((ScriptKind::Classic, ScriptTiming::Async)), 2),
                (Some((ScriptKind::Module, ScriptTiming::AfterParsing)), 2),
                (None, 2),
                (Some((ScriptKind::Classic, ScriptTiming::Immediately)), 3),
            ]
        );
        let sources: Vec<_> = stops
            .into_iter()
            .filter_map(|(script, _)| script.map(|script| script.source))
            .collect();
        let inline = |text: &str, line| ScriptSource::Inline {
            text: text.to_owned(),
            line,
        };
        assert_eq!(sources[0], inline("one", 1));
        assert_eq!(sources[1], ScriptSource::External("two.js".to_owned()));
        assert_eq!(sources[4], inline("five", 4));
        assert_eq!(sources[5], inline("six\n", 4));
    }

    #[test]
    fn what_a_script_writes_comes_next() {
        let tree = Rc::new(RefCell::new(Tree::new()));
        let mut parser = DocumentParser::new(Rc::clone(&tree));
        parser.push("<p>1</p><script>w</script><p>4</p>");
        assert!(matches!(parser.run(), ParserStop::Script(_)));
        parser.write("<p>2</p><scr");
        parser.write("ipt>x</script>");
        assert!(matches!(parser.run(), ParserStop::Script(_)));
        parser.write("<p>3</p>");
        assert_eq!(parser.run(), ParserStop::OutOfInput);
        parser.finish();
        let tree = tree.take();
        let body = tree.body().unwrap();
        let text: String = tree
            .elements_by_tag_name(body, "p")
            .into_iter()
            .map(|p| tree.descendant_text_content(p))
            .collect();
        assert_eq!(text, "1234");
    }

    #[test]
    fn scripts_that_move_open_elements_do_not_break_the_tree() {
        let tree = Rc::new(RefCell::new(Tree::new()));
        let mut parser = DocumentParser::new(Rc::clone(&tree));
        parser.push("<b id=b><div id=d><p id=p><script></script>x</b>y<table>z</p></div>end");
        assert!(matches!(parser.run(), ParserStop::Script(_)));
        {
            let mut tree = tree.borrow_mut();
            let find = |tree: &Tree, id| tree.element_by_id(tree.document(), id).unwrap();
            let (b, d, p) = (find(&tree, "b"), find(&tree, "d"), find(&tree, "p"));
            tree.remove(p);
            tree.remove(d);
            tree.append(p, b).unwrap();
            tree.append(b, d).unwrap();
        }
        assert_eq!(parser.run(), ParserStop::OutOfInput);
        parser.finish();
        let tree = tree.take();
        assert!(tree.inner_html(tree.document()).ends_with("</body></html>"));
    }

    #[test]
    fn fragments_are_parsed_as_their_context_says() {
        let mut tree = Tree::new();
        for (context, html, expected) in [
            ("div", "a<b>b</b><td>c", "a<b>b</b>c"),
            ("tr", "<td>c", "<td>c</td>"),
            ("textarea", "<b>", "&lt;b&gt;"),
            ("template", "<td>c", "<td>c</td>"),
            (
                "ul",
                "<li>1<li>2<script>x</script>",
                "<li>1</li><li>2<script>x</script></li>",
            ),
        ] {
            let context = tree.create_element(html_name(context));
            let fragment = parse_fragment(&mut tree, context, html);
            assert_eq!(tree.inner_html(fragment), expected);
        }
    }
}
