//! Linking and running modules, and what the engine asks for on the way.

use url::Url;

use super::dynamic;
use super::map::ModuleMap;
use super::script::{ModuleScript, resolve_specifier};
use crate::bindings::module::ModuleRecord;
use crate::bindings::report::report_exception;
use crate::bindings::{Error, Fallible, Promise, Realm};

/// Runs the modules of a complete graph. The promise is settled when the last of them has run to its
/// end, and rejected with what one of them throws.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#run-a-module-script>
///
/// # Errors
///
/// A script of the graph cannot be parsed, or imports what another one does not export.
pub(crate) fn run(realm: &Realm, root: &str) -> Fallible<Promise> {
    run_record(realm, root).map(|(promise, _)| promise)
}

/// As [`run`]; exceptions are reported.
pub(crate) fn run_and_report(realm: &Realm, root: &str) {
    let result = realm.run_script(|| {
        run(realm, root)?.on_settled(|realm, result| {
            if let Err(reason) = result {
                report_exception(realm, Error::Thrown(reason));
            }
        })
    });
    if let Err(error) = result {
        report_exception(realm, error);
    }
}

pub(super) fn run_record(realm: &Realm, root: &str) -> Fallible<(Promise, ModuleRecord)> {
    let map = ModuleMap::of(realm);
    if let Some(error) = map.first_parse_error(root) {
        return Err(Error::Thrown(error));
    }
    let record = compile_graph(realm, &map, root)?;
    let promise = realm.run_script(|| realm.evaluate_module(record))?;
    Ok((promise, record))
}

/// Compiles what is not compiled yet, each script after what it imports, as far as there are no
/// cycles: the engine asks for what is left.
fn compile_graph(realm: &Realm, map: &ModuleMap, root: &str) -> Fallible<ModuleRecord> {
    for script in map.in_order(root).iter().rev() {
        compile(realm, map, script)?;
    }
    map.script(root)
        .and_then(|script| script.record.get())
        .ok_or_else(|| Error::Type(format!("There is no module {root}.")))
}

fn compile(realm: &Realm, map: &ModuleMap, script: &ModuleScript) -> Fallible<ModuleRecord> {
    if let Some(error) = &*map.broken.borrow() {
        return Err(Error::Thrown(error.clone()));
    }
    if let Some(record) = script.record.get() {
        return Ok(record);
    }
    let was_compiling = map.is_compiling.replace(true);
    let result = script.compile(realm);
    map.is_compiling.set(was_compiling);
    result.map_err(|error| {
        let exception = realm.exception_value(error);
        map.broken
            .borrow_mut()
            .get_or_insert_with(|| exception.clone());
        Error::Thrown(exception)
    })
}

/// What the engine is to call the module that a script imports.
///
/// # Errors
///
/// A `TypeError` when there is no such module, and for each `import()` in a service worker.
pub(crate) fn name_for_engine(realm: &Realm, base: &str, specifier: &str) -> Fallible<String> {
    let map = ModuleMap::of(realm);
    if !map.is_compiling.get() {
        return dynamic::name_of_stand_in(realm, &map, base, specifier);
    }
    let unknown = || Error::Type(format!("{base} imports an unknown module: {specifier}."));
    let importer = map.script_by_name(base).ok_or_else(unknown)?;
    let url: Url = resolve_specifier(specifier, &importer.base_url)?;
    let imported = map.script(url.as_str()).ok_or_else(unknown)?;
    Ok(imported.name.clone())
}

/// A module that the engine needs while it compiles another one.
///
/// # Errors
///
/// There is no such module, or the engine is out of memory.
pub(crate) fn requested_by_engine(realm: &Realm, name: &str) -> Fallible<ModuleRecord> {
    let map = ModuleMap::of(realm);
    let script = map
        .script_by_name(name)
        .ok_or_else(|| Error::Type(format!("There is no module {name}.")))?;
    compile(realm, &map, &script)
}
