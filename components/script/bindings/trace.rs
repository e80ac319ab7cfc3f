//! Telling the engine's garbage collector which values a platform object holds.
//!
//! The engine counts references and looks for cycles among them. A [`Value`] in a platform object
//! is one counted reference; each must be reported once per visit. One that is not reported keeps
//! its target alive, so forgetting is a leak and never a dangling reference.

#![expect(
    unsafe_code,
    reason = "marks values for the engine's garbage collector"
)]

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;

use rquickjs::qjs;

use super::value::Value;

/// One visit of the garbage collector.
pub struct Tracer<'a> {
    runtime: *mut qjs::JSRuntime,
    mark: qjs::JS_MarkFunc,
    visit: PhantomData<&'a ()>,
}

impl Tracer<'_> {
    pub(super) fn new(runtime: *mut qjs::JSRuntime, mark: qjs::JS_MarkFunc) -> Self {
        Self {
            runtime,
            mark,
            visit: PhantomData,
        }
    }

    /// Reports one reference.
    pub fn value(&mut self, value: &Value) {
        // SAFETY: the value is alive, since it is a counted reference; runtime and mark function
        // come from the engine for the time of this visit.
        unsafe { qjs::JS_MarkValue(self.runtime, value.raw(), self.mark) }
    }

    /// Reports a counted reference to a context.
    pub(super) fn context(&mut self, context: *mut qjs::JSContext) {
        if let Some(mark) = self.mark {
            // SAFETY: a context begins with the header that the collector works on, and the caller
            // owns a counted reference to it.
            unsafe { mark(self.runtime, context.cast()) }
        }
    }
}

/// What may hold values that the garbage collector must know of.
pub trait Traceable {
    /// Reports each value that is held, once.
    fn trace(&self, tracer: &mut Tracer<'_>);
}

impl Traceable for Value {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self);
    }
}

impl<T: Traceable> Traceable for Option<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(value) = self {
            value.trace(tracer);
        }
    }
}

impl<T: Traceable + ?Sized> Traceable for Box<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        (**self).trace(tracer);
    }
}

/// Each value is to be reported once: only one of the clones may be traced.
impl<T: Traceable + ?Sized> Traceable for Rc<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        (**self).trace(tracer);
    }
}

impl<T: Traceable> Traceable for Vec<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for value in self {
            value.trace(tracer);
        }
    }
}

impl<T: Traceable> Traceable for VecDeque<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for value in self {
            value.trace(tracer);
        }
    }
}

impl<K, V: Traceable> Traceable for BTreeMap<K, V> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for value in self.values() {
            value.trace(tracer);
        }
    }
}

/// A cell that is borrowed for writing during a visit is left out, which keeps what it holds alive
/// until the next one.
impl<T: Traceable> Traceable for RefCell<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Ok(value) = self.try_borrow() {
            value.trace(tracer);
        }
    }
}

impl<T: Traceable> Traceable for OnceCell<T> {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Some(value) = self.get() {
            value.trace(tracer);
        }
    }
}

impl<A: Traceable, B: Traceable> Traceable for (A, B) {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
        self.1.trace(tracer);
    }
}

/// A cell holds plain data: a value cannot be looked at in it.
impl<T: Copy> Traceable for Cell<T> {
    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// Marks types that hold no values.
macro_rules! no_trace {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::bindings::trace::Traceable for $type {
            fn trace(&self, _: &mut $crate::bindings::trace::Tracer<'_>) {}
        })*
    };
}
pub(crate) use no_trace;

no_trace!(
    (),
    bool,
    u8,
    i8,
    u16,
    i16,
    u32,
    i32,
    u64,
    i64,
    usize,
    f32,
    f64,
    String,
    super::strings::DomString,
    super::strings::UsvString,
    super::strings::ByteString,
);

/// A field without values of a type that knows nothing of tracing.
#[derive(Clone, Debug, Default)]
pub struct NoTrace<T>(pub T);

impl<T> Deref for NoTrace<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Traceable for NoTrace<T> {
    fn trace(&self, _: &mut Tracer<'_>) {}
}
