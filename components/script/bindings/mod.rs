//! Bindings of platform objects to JavaScript.
//!
//! # How to add an interface
//!
//! 1. Write its Web IDL into `script_bindings/webidls/`, as the specification has it:
//!
//!    ```webidl
//!    [SecureContext, Exposed=(Window,Worker)]
//!    interface SyncManager {
//!      Promise<undefined> register(DOMString tag);
//!      Promise<sequence<DOMString>> getTags();
//!    };
//!    ```
//!
//! 2. Write the struct into `dom/sync_manager.rs` (the interface's name in snake case) and declare
//!    the module in `dom/mod.rs`. A struct has a field `pub(crate) reflector: Reflector`, or, where its
//!    interface inherits, a field `pub(crate) parent` of the parent's struct. All fields are traced; types
//!    that hold no JavaScript values go into [`trace::NoTrace`].
//!
//!    ```ignore
//!    dom_struct! {
//!        pub struct SyncManager { pub(crate) reflector: Reflector, handle: NoTrace<SyncManagerHandle> }
//!    }
//!
//!    impl SyncManagerMethods for SyncManager {
//!        fn register(&self, realm: &Realm, tag: DomString) -> Fallible<Promise> {
//!            let promise = Promise::new(realm)?;
//!            self.handle.register(tag, /* keep promise.clone() and settle it later */);
//!            Ok(promise)
//!        }
//!        // ...
//!    }
//!    ```
//!
//!    `Dom::new(realm, SyncManager { .. })` makes the JavaScript object. Nothing is registered by
//!    hand: the generator has done that, for every realm where the interface is exposed.
//!
//! 3. Write a test in `tests/main.rs` that runs a script.
//!
//! # What the generator makes of Web IDL
//!
//! | Web IDL | Rust |
//! |---|---|
//! | attribute `onLine` | `fn on_line(&self, realm) -> T`, `fn set_on_line(..) -> Fallible<()>`; `Fallible<T>` with `[Throws]` |
//! | attribute of type `EventHandler` | nothing: [`crate::dom::event_target::EventTarget`] does it |
//! | operation, constructor, static | `fn name(&self, realm, ..) -> Fallible<T>`, `fn constructor(realm, ..) -> Fallible<Dom<Self>>`; the second overload is `name_2` |
//! | `interface mixin M` | a trait `MMethods`, which may be implemented once for all that include it |
//! | optional argument | `T` with a default, else `Option<T>`; `any` is `Value` |
//! | `Interface`, `T?`, `sequence<T>`, `record<K, V>`, `any`, `object` | `Dom<T>`, `Option<T>`, `Vec<T>`, `Record<K, V>`, `Value`, `Object` |
//! | `(A or B)`, dictionary, `enum`, callback | enum `AOrB`; struct; enum; struct with `call` or the operation's name |
//! | `Promise<T>` | `Promise`; an `Err` becomes a rejection |
//! | `getter` with an index, `iterable<V>` | nothing: the operation and `length` do it; functions of arrays |
//! | `iterable<K, V>` | `fn pairs(&self, realm) -> Vec<(K, V)>` |
//!
//! Values are counted references, and [`Value`] says where they may be kept. A struct that is only
//! reached through JavaScript needs no root; a [`Dom`], [`Promise`] or callback held anywhere but
//! in a traced field is one.

pub mod callback;
pub mod convert;
pub mod error;
mod function;
pub mod generated;
#[macro_use]
pub mod host_object;
mod immutable_prototype;
pub mod indexed;
pub mod interface;
mod intrinsics;
pub mod introspect;
mod iterable;
pub(crate) mod module;
pub mod promise;
pub mod realm;
mod rejections;
pub mod report;
pub mod runtime;
pub mod strings;
pub mod trace;
pub mod trampoline;
pub mod value;
pub mod weak;
pub(crate) mod window_proxy;

pub use self::callback::Callback;
pub use self::convert::{BufferSource, Object, Record};
pub use self::error::{Error, Fallible};
pub use self::host_object::{AnyDom, Dom, DomObject, HasInterface, Reflector};
pub use self::interface::{GlobalKind, InterfaceId};
pub use self::promise::Promise;
pub use self::realm::{Realm, RealmHandle, RealmOptions};
pub use self::report::{ConsoleLevel, ConsoleMessage, ExceptionReport, RealmDelegate};
pub use self::runtime::{RuntimeLimits, ScriptRuntime};
pub use self::strings::{ByteString, DomString, UsvString};
pub use self::trace::{NoTrace, Traceable, Tracer};
pub use self::value::{Flags, ToJs, Value};
