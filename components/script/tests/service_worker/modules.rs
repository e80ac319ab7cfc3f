//! Module service workers: what they import, and from where.

use std::sync::{Arc, Mutex};

use base::StorageKey;
use script::ScriptReport;
use sw_traits::{ScriptResourceMap, WorkerHostEvent, WorkerLaunch, WorkerType};
use url::Url;

use super::host::{Host, launch, resource, serve, take, url};

/// A launch of a module worker with this main script, and with these others stored.
fn module(main: &str, others: &[(&str, &str)]) -> WorkerLaunch {
    let mut launch = launch(main);
    launch.worker_type = WorkerType::Module;
    launch.may_import = false;
    let others = others
        .iter()
        .map(|(path, body)| (url(path), resource(url(path), body)));
    launch.scripts.extend(others);
    launch
}

fn start(host: &mut Host, launch: WorkerLaunch) -> Result<Vec<String>, String> {
    host.start(launch);
    loop {
        match host.next() {
            WorkerHostEvent::Started { event_types, .. } => return Ok(event_types),
            WorkerHostEvent::StartFailed { reason, .. } => return Err(reason),
            WorkerHostEvent::ScriptImported { .. } => {}
            other => panic!("{other:?} in place of the start"),
        }
    }
}

#[test]
fn a_module_worker_starts_from_its_stored_scripts() {
    let mut host = Host::new();
    let launch = module(
        "import { tag } from './a.js'; import * as self_ from './worker.js';
         console.log(tag, import.meta.url, typeof this, Object.keys(self_).join());
         addEventListener(tag, () => {}); export var mine = 1;
         console.log('end');",
        &[
            (
                "mail/a.js",
                "import './lib/b.js'; export const tag = 'sync';",
            ),
            (
                "mail/lib/b.js",
                "import '../a.js'; addEventListener('install', () => {});",
            ),
        ],
    );
    assert_eq!(start(&mut host, launch).unwrap(), ["install", "sync"]);
    let lines = host.console_until("end");
    assert_eq!(
        lines,
        [format!("sync {} undefined mine", url("mail/worker.js"))]
    );
}

#[test]
fn what_is_not_stored_is_imported_over_the_network_while_installing() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let address = serve(move |path| {
        log.lock().unwrap().push(path.to_owned());
        match path {
            "/a.js" => Some((200, "text/javascript", "import './b.js'; import './b.js';")),
            "/b.js" => Some((200, "text/javascript", "onsync = () => {};")),
            "/text.js" => Some((200, "text/plain", "")),
            _ => Some((404, "text/plain", "missing")),
        }
    });
    let at = |path: &str| Url::parse(&address).unwrap().join(path).unwrap();
    let local = |main: &str| WorkerLaunch {
        script_url: at("/worker.js"),
        storage_key: StorageKey::from_url(&at("/")).unwrap(),
        scripts: [(at("/worker.js"), resource(at("/worker.js"), main))].into(),
        worker_type: WorkerType::Module,
        may_import: true,
        ..launch("")
    };
    let mut host = Host::new();
    host.start(local("import './a.js';"));
    let mut stored = ScriptResourceMap::new();
    let events = loop {
        match host.next() {
            WorkerHostEvent::ScriptImported { resource, .. } => {
                stored.insert(resource.url.clone(), resource);
            }
            WorkerHostEvent::Started { event_types, .. } => break event_types,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(events, ["sync"]);
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        [&at("/a.js"), &at("/b.js")]
    );
    assert_eq!(*asked.lock().unwrap(), ["/a.js", "/b.js"]);
    for (script, expected) in [
        (
            "import './text.js'",
            "its type \"text/plain\" is not one of JavaScript",
        ),
        ("import './gone.js'", "status 404"),
    ] {
        let mut host = Host::new();
        let reason = start(&mut host, local(script)).unwrap_err();
        assert!(reason.contains(expected), "{reason}");
        let mut installed = local(script);
        installed.may_import = false;
        let reason = start(&mut host, installed).unwrap_err();
        assert!(reason.contains("not imported while"), "{reason}");
    }
}

#[test]
fn a_module_worker_that_cannot_run_says_why() {
    for (script, reason) in [
        ("await null", "cannot use await"),
        ("import './waits.js'", "cannot use await"),
        ("if (false) await null", "cannot use await"),
        ("export let =", "SyntaxError: "),
        ("\nimport './broken.js'", "broken.js:2)"),
        ("import { none } from './good.js'", "SyntaxError: "),
        (
            "import 'jquery'",
            "TypeError: The module specifier \"jquery\"",
        ),
        ("importScripts('good.js')", "TypeError: "),
        ("throw new RangeError('oh')", "RangeError: oh"),
        ("import './throws.js'; console.log('not run')", "thrown"),
    ] {
        let mut host = Host::new();
        let launch = module(
            script,
            &[
                ("mail/waits.js", "await Promise.resolve(1)"),
                ("mail/broken.js", "\n}"),
                ("mail/good.js", ""),
                ("mail/throws.js", "throw 'thrown'"),
            ],
        );
        let failed = start(&mut host, launch).unwrap_err();
        assert!(failed.contains(reason), "{script}: {failed}");
    }
}

#[test]
fn a_service_worker_cannot_import_dynamically() {
    let script = "const tried = ['./good.js', './gone.js', 'bare'].map(name =>
            import(name).then(() => 'imported', error => error.constructor.name));
        Promise.all(tried).then(all => { console.log(all.join()); console.log('end'); });";
    for type_ in [WorkerType::Module, WorkerType::Classic] {
        let mut host = Host::new();
        let static_import = match type_ {
            WorkerType::Module => "import './good.js';",
            WorkerType::Classic => "importScripts('./good.js');",
        };
        let mut launch = module(&format!("{static_import}{script}"), &[("mail/good.js", "")]);
        launch.worker_type = type_;
        start(&mut host, launch).unwrap();
        assert_eq!(host.console_until("end"), ["TypeError,TypeError,TypeError"]);
    }
}

#[test]
fn a_static_import_in_a_classic_worker_is_a_syntax_error() {
    let mut host = Host::new();
    let reason = host.fail("import './good.js'");
    assert!(reason.starts_with("SyntaxError: "), "{reason}");
    assert!(matches!(
        take(&host.reports),
        ScriptReport::ScriptError { .. }
    ));
}

#[test]
fn what_a_stored_module_imports_is_relative_to_where_it_was_found() {
    let mut host = Host::new();
    let mut launch = module(
        "import './a.js';",
        &[
            ("mail/a.js", "import './b.js';"),
            ("new/b.js", "onsync = () => {};"),
        ],
    );
    let moved = launch.scripts.get_mut(&url("mail/a.js")).unwrap();
    moved.response_url = url("new/a.js");
    assert_eq!(start(&mut host, launch).unwrap(), ["sync"]);
}
