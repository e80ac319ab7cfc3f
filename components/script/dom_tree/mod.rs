//! The DOM tree: nodes, mutation, parsing, serialization and selectors, without any script.
//!
//! A [`Tree`] is an arena that holds a document and everything that was created for it, attached
//! or not; a [`NodeId`] names a node in it. The JavaScript objects of nodes live elsewhere and hold
//! ids. [`Tree::collect_garbage`] frees what neither the document nor one of those objects keeps.
//!
//! - `node`: what a node is made of;
//! - `tree`: the arena, links, walks;
//! - `mutation`: insertion, removal, replacement, with the checks of the DOM Standard;
//! - `attributes`, `text`, `query`, `clone`: what their names say;
//! - `select`, `selector_grammar`: CSS selectors;
//! - `parser`: html5ever's tree sink, stopping at each script;
//! - `script_element`: which scripts run, and when;
//! - `encoding`: bytes to text;
//! - `serialize`: inner and outer HTML.
//!
//! No algorithm recurses over the tree, so its depth is bounded by memory and not by the stack.

mod attributes;
mod clone;
mod encoding;
mod mutation;
mod node;
mod parser;
mod query;
mod script_element;
mod select;
mod selector_grammar;
mod serialize;
mod text;
mod tree;

pub use encoding::{DecodedDocument, decode_document, decode_text, encoding_for_content_type};
pub use node::{Attribute, ControlState, ElementData, Node, NodeData, NodeId, html_name};
pub use parser::{DocumentParser, ParserStop, parse_fragment};
pub use script_element::{PreparedScript, ScriptKind, ScriptSource, ScriptTiming};
pub use select::Selectors;
pub use tree::{Tree, TreePosition};
