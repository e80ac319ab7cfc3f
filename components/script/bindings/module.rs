//! Module records of the engine: what a module asks for, linking, evaluating, dynamic import.
//!
//! The engine asks for the modules that a script imports while it compiles that script, and does
//! not wait. So a script is compiled twice: first apart from its realm, to learn what it asks
//! for, and again when everything it needs is there.
//!
//! A dynamic import cannot be answered at once either. The engine is given a stand-in, a module
//! whose only export is a function `then`. A promise that is resolved with such a namespace waits
//! for what that function says, which is the namespace of the real module.

#![expect(unsafe_code, reason = "speaks with the engine")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use rquickjs::qjs;

use super::error::{Error, Fallible};
use super::promise::Promise;
use super::realm::Realm;
use super::runtime::RuntimeState;
use super::value::Value;
use crate::modules;

/// A compiled module of a realm. It is alive as long as its realm.
///
/// <https://tc39.es/ecma262/#sourcetextmodule-record>
#[derive(Clone, Copy)]
pub(crate) struct ModuleRecord(NonNull<qjs::JSModuleDef>);

/// Has the engine ask this module for modules.
pub(super) fn install(runtime: *mut qjs::JSRuntime) {
    // SAFETY: the runtime is alive; the functions need nothing of their own.
    unsafe {
        qjs::JS_SetModuleLoaderFunc2(
            runtime,
            Some(normalize),
            Some(load),
            Some(check_attributes),
            ptr::null_mut(),
        );
    }
}

impl RuntimeState {
    /// The specifiers that a module script imports from, each once, in order; `None` when the
    /// script cannot be parsed.
    pub(crate) fn requested_modules(&self, source: &str) -> Option<Vec<String>> {
        // SAFETY: the runtime is alive. The context is freed below; that it has no realm tells
        // the loader functions what it is for.
        let context = unsafe { qjs::JS_NewContextRaw(self.runtime()) };
        if context.is_null() {
            return None;
        }
        drop(self.take_requested());
        // SAFETY: as above.
        let compiled = unsafe {
            let ready = qjs::JS_AddIntrinsicBaseObjects(context) == 0
                && qjs::JS_AddIntrinsicEval(context) == 0;
            qjs::JS_AddIntrinsicRegExpCompiler(context);
            let compiled = if ready {
                compile(context, c"", source, 1)
            } else {
                qjs::JS_EXCEPTION
            };
            let failed = qjs::JS_IsException(compiled);
            if failed {
                let exception = qjs::JS_GetException(context);
                qjs::JS_FreeValueRT(self.runtime(), exception);
            }
            qjs::JS_FreeValueRT(self.runtime(), compiled);
            qjs::JS_FreeContext(context);
            !failed
        };
        let requested = self.take_requested();
        compiled.then_some(requested)
    }
}

/// Compiles a module script, but does not run it.
///
/// # Safety
///
/// The context is alive.
unsafe fn compile(
    context: *mut qjs::JSContext,
    name: &CStr,
    source: &str,
    line: i32,
) -> qjs::JSValue {
    let mut bytes = source.as_bytes().to_vec();
    bytes.push(0);
    let flags = qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    let mut options = qjs::JSEvalOptions {
        version: qjs::JS_EVAL_OPTIONS_VERSION.cast_signed(),
        eval_flags: flags.cast_signed(),
        filename: name.as_ptr(),
        line_num: line,
    };
    // SAFETY: the source is `len` bytes followed by a zero; the engine copies the name.
    unsafe {
        qjs::JS_Eval2(
            context,
            bytes.as_ptr().cast(),
            source.len() as _,
            &raw mut options,
        )
    }
}

impl Realm {
    /// Compiles a module script under a name that no other module has. What it imports is asked
    /// for with [`modules::requested_by_engine`]; when that fails, modules that were compiled on
    /// the way refer to one that is gone, and none of them may be used any more.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` of the script, or that the engine is out of memory.
    pub(crate) fn compile_module(
        &self,
        name: &str,
        source: &str,
        line: i32,
    ) -> Fallible<ModuleRecord> {
        let name = c_string(name);
        // SAFETY: the context is alive.
        let raw = unsafe { compile(self.context(), &name, source, line) };
        let value = self.take(raw)?;
        // SAFETY: a compiled module has this payload. The context keeps it alive.
        let record = unsafe { qjs::JS_VALUE_GET_PTR(value.raw()) };
        NonNull::new(record.cast())
            .map(ModuleRecord)
            .ok_or_else(super::value::out_of_memory)
    }

    /// <https://tc39.es/ecma262/#sec-hostgetimportmetaproperties>
    pub(crate) fn import_meta(&self, module: ModuleRecord) -> Fallible<Value> {
        // SAFETY: the module is alive with its realm.
        self.take(unsafe { qjs::JS_GetImportMeta(self.context(), module.0.as_ptr()) })
    }

    /// The namespace object of a linked module.
    pub(crate) fn module_namespace(&self, module: ModuleRecord) -> Fallible<Value> {
        // SAFETY: as above.
        self.take(unsafe { qjs::JS_GetModuleNamespace(self.context(), module.0.as_ptr()) })
    }

    /// Links a module with what it imports and runs it; microtasks follow if no other script is
    /// running. The promise is settled when all of them have run to their end.
    ///
    /// # Errors
    ///
    /// A `SyntaxError` when an import has no such export.
    pub(crate) fn evaluate_module(&self, module: ModuleRecord) -> Fallible<Promise> {
        let evaluated = {
            let pointer = module.0.as_ptr().cast();
            let value = qjs::JS_MKPTR(qjs::JS_TAG_MODULE, pointer);
            // SAFETY: the module is alive; the engine takes over the reference.
            self.take(unsafe {
                let value = qjs::JS_DupValue(self.context(), value);
                qjs::JS_EvalFunction(self.context(), value)
            })?
        };
        Ok(Promise::of_engine(self, evaluated))
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

/// The text of a C string.
///
/// # Safety
///
/// It is one.
unsafe fn text(pointer: *const c_char) -> String {
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

/// Makes an error the pending exception.
fn throw(realm: &Realm, error: Error) {
    let exception = realm.exception_value(error);
    // SAFETY: the context is alive; the engine takes over the reference.
    unsafe {
        qjs::JS_Throw(realm.context(), exception.into_raw());
    }
}

/// Runs what the engine calls. A panic must not cross the engine.
fn guarded<T>(run: impl FnOnce() -> Fallible<T>) -> Fallible<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        log::error!("panic in a function of modules");
        Err(Error::Type("internal error".to_owned()))
    })
}

/// The name of the module that a specifier stands for.
///
/// <https://tc39.es/ecma262/#sec-HostLoadImportedModule>
unsafe extern "C" fn normalize(
    context: *mut qjs::JSContext,
    base: *const c_char,
    specifier: *const c_char,
    _: *mut c_void,
) -> *mut c_char {
    let Some(realm) = Realm::of_context(context) else {
        // SAFETY: the engine passes a string, and frees the copy.
        return unsafe { qjs::js_strdup(context, specifier) };
    };
    // SAFETY: the engine passes strings.
    let (base, specifier) = unsafe { (text(base), text(specifier)) };
    match guarded(|| modules::name_for_engine(realm, &base, &specifier)) {
        // SAFETY: the engine frees the copy.
        Ok(name) => unsafe { qjs::js_strdup(context, c_string(&name).as_ptr()) },
        Err(error) => {
            throw(realm, error);
            ptr::null_mut()
        }
    }
}

/// A module that the engine does not have under this name.
unsafe extern "C" fn load(
    context: *mut qjs::JSContext,
    name: *const c_char,
    _: *mut c_void,
    _: qjs::JSValue,
) -> *mut qjs::JSModuleDef {
    let Some(realm) = Realm::of_context(context) else {
        // SAFETY: the context is one of `requested_modules`, whose runtime is alive; the engine
        // passes a string.
        return unsafe {
            let runtime = qjs::JS_GetRuntime(context);
            RuntimeState::of(runtime).add_requested(text(name));
            qjs::JS_NewCModule(context, name, Some(nothing))
        };
    };
    // SAFETY: the engine passes a string.
    let name = unsafe { text(name) };
    let loaded = guarded(|| {
        if modules::is_stand_in(&name) {
            stand_in(realm, &name)
        } else {
            modules::requested_by_engine(realm, &name)
        }
    });
    match loaded {
        Ok(record) => record.0.as_ptr(),
        Err(error) => {
            throw(realm, error);
            ptr::null_mut()
        }
    }
}

/// <https://tc39.es/ecma262/#sec-hostgetsupportedimportattributes>
unsafe extern "C" fn check_attributes(
    context: *mut qjs::JSContext,
    _: *mut c_void,
    _: qjs::JSValue,
) -> i32 {
    let message = c"Modules with import attributes are not supported.";
    // SAFETY: the context is alive; the message has no placeholders.
    unsafe { qjs::JS_ThrowTypeError(context, message.as_ptr()) };
    -1
}

unsafe extern "C" fn nothing(_: *mut qjs::JSContext, _: *mut qjs::JSModuleDef) -> i32 {
    0
}

/// The stand-in for a module that is imported dynamically.
fn stand_in(realm: &Realm, name: &str) -> Fallible<ModuleRecord> {
    let name = c_string(name);
    // SAFETY: the context is alive; the engine copies the names.
    let record = unsafe {
        let record = qjs::JS_NewCModule(realm.context(), name.as_ptr(), Some(export_then));
        if !record.is_null() {
            let added = qjs::JS_AddModuleExport(realm.context(), record, c"then".as_ptr());
            realm.check(added)?;
        }
        record
    };
    NonNull::new(record)
        .map(ModuleRecord)
        .ok_or_else(super::value::out_of_memory)
}

/// Gives a stand-in its export.
unsafe extern "C" fn export_then(
    context: *mut qjs::JSContext,
    module: *mut qjs::JSModuleDef,
) -> i32 {
    // SAFETY: context and module are alive; each value is freed or given to the engine.
    unsafe {
        let name = qjs::JS_GetModuleName(context, module);
        let mut data = [qjs::JS_AtomToString(context, name)];
        qjs::JS_FreeAtom(context, name);
        let then = qjs::JS_NewCFunctionData(context, Some(import), 2, 0, 1, data.as_mut_ptr());
        qjs::JS_FreeValue(context, data[0]);
        if qjs::JS_IsException(then) {
            return -1;
        }
        qjs::JS_SetModuleExport(context, module, c"then".as_ptr(), then)
    }
}

/// The `then` of a stand-in.
unsafe extern "C" fn import(
    context: *mut qjs::JSContext,
    _: qjs::JSValue,
    count: i32,
    arguments: *mut qjs::JSValue,
    _: i32,
    data: *mut qjs::JSValue,
) -> qjs::JSValue {
    let Some(realm) = Realm::of_context(context) else {
        return qjs::JS_UNDEFINED;
    };
    if count < 2 {
        return qjs::JS_UNDEFINED;
    }
    // SAFETY: the engine passes `count` arguments, and the one value that the function was made
    // with.
    let (resolve, reject, name) = unsafe {
        let borrowed = |raw| Value::borrowed(realm.runtime(), raw);
        (
            borrowed(*arguments),
            borrowed(*arguments.add(1)),
            borrowed(*data),
        )
    };
    let imported = guarded(|| {
        let name = name.to_dom_string(realm)?.to_string();
        modules::import_dynamically(realm, &name, resolve, reject)
    });
    if let Err(error) = imported {
        throw(realm, error);
        return qjs::JS_EXCEPTION;
    }
    qjs::JS_UNDEFINED
}
