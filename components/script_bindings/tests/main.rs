//! Small definitions in, Rust out; unsupported ones are refused by name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use script_bindings::{Source, generate, snake_case, type_name};

fn generated(text: &str) -> String {
    generate(&[Source {
        name: "test.webidl",
        text,
    }])
    .unwrap()
}

fn refused(text: &str) -> String {
    generate(&[Source {
        name: "test.webidl",
        text,
    }])
    .unwrap_err()
    .to_string()
}

#[test]
fn names_become_rust_names_with_acronyms_as_words() {
    assert_eq!(snake_case("DOMException"), "dom_exception");
    assert_eq!(snake_case("IDBFactory"), "idb_factory");
    assert_eq!(snake_case("minInterval"), "min_interval");
    assert_eq!(type_name("URLSearchParams"), "UrlSearchParams");
    assert_eq!(type_name("same-origin"), "SameOrigin");
}

#[test]
fn an_operation_has_a_typed_method_and_a_descriptor() {
    let output = generated(
        "[Exposed=(Window,Worker), SecureContext] interface SyncManager {
           Promise<undefined> register(DOMString tag);
         };",
    );
    assert!(output.contains("pub trait SyncManagerMethods"));
    assert!(
        output.contains("fn register(&self, realm: &Realm, tag: DomString) -> Fallible<Promise>;")
    );
    assert!(output.contains("name: \"register\", function: 1, length: 1"));
    assert!(output.contains("Exposure { globals: 15, secure_context: true }"));
    assert!(output.contains("promise: true, call: function_1"));
}

#[test]
fn partials_and_mixins_are_merged() {
    let output = generated(
        "interface A {}; partial interface A { readonly attribute boolean first; };
         interface mixin M { undefined second(); }; A includes M;",
    );
    assert!(output.contains("name: \"first\""));
    assert!(output.contains("name: \"second\""));
    assert!(output.contains("pub trait MMethods"));
}

#[test]
fn a_dictionary_reads_its_parent_first_and_keeps_defaults() {
    let output = generated(
        "dictionary Base { boolean bubbles = false; };
         dictionary Derived : Base { required DOMString tag; unsigned long long size; };
         interface A { constructor(Derived init); };",
    );
    assert!(output.contains("parent: Base::from_js(realm, value)?"));
    assert!(output.contains("Required member is undefined"));
    assert!(output.contains("pub size: Option<u64>"));
    assert!(output.contains("impl Default for Base"));
    assert!(!output.contains("impl Default for Derived"));
}

#[test]
fn a_dictionary_in_a_promise_can_be_handed_to_scripts() {
    let output = generated(
        "dictionary Info { DOMString name; };
         interface A { Promise<sequence<Info>> list(); };",
    );
    assert!(output.contains("impl ToJs for Info"));
}

#[test]
fn a_union_is_told_apart_in_the_order_of_web_idl() {
    let output = generated(
        "interface Request {}; typedef (USVString or Request) RequestInfo;
         interface A { undefined fetch(RequestInfo input); };",
    );
    assert!(output.contains("pub enum UsvStringOrRequest"));
    let interface = output.find("Self::Request)").unwrap();
    let string = output.find("Self::UsvString)").unwrap();
    assert!(interface < string, "an interface is tried before a string");
}

#[test]
fn overloads_are_chosen_by_count_and_by_type() {
    let output = generated(
        "dictionary Options {}; interface A {
           undefined post(any message, sequence<object> transfer);
           undefined post(any message, optional Options options = {});
         };",
    );
    assert!(output.contains("fn post_2(&self"));
    assert!(output.contains("convert::is_iterable(realm, (&distinguishing))?"));
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    assert!(refused("interface A { maplike<long, long>; };").contains("test.webidl: A: maplike"));
    assert!(refused("interface A { getter long item(DOMString name); };").contains("A: a getter"));
    assert!(refused("[Strange] interface A {};").contains("A: [Strange]"));
    assert!(refused("interface A { undefined f(Missing x); };").contains("Missing is not defined"));
    assert!(refused("interface A : B {};").contains("inherits from B"));
    assert!(refused("interface A {}; nonsense").contains("nonsense"));
    assert!(refused("interface A {}; interface A {};").contains("defined twice"));
}
