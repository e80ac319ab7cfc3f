//! Pages and scripts around `.any.js`, `.window.js` and `.worker.js`.
//!
//! <https://web-platform-tests.org/writing-tests/testharness.html>

use crate::metadata::{Global, Metadata};

/// A URL that is answered with a wrapper around a file.
#[derive(Clone, Copy, Debug)]
struct Wrapper {
    /// How the URL's path ends.
    suffix: &'static str,
    /// How the path of the file ends.
    file: &'static str,
    /// How the path of the script ends that the wrapper loads.
    script: &'static str,
    /// The global that the file must be meant for.
    global: Option<Global>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A page that runs the test itself.
    Page,
    /// A page that runs a test in a worker; the expression is the worker.
    WorkerPage(&'static str),
    /// The script of a classic worker.
    ClassicScript,
    /// The script of a module worker.
    ModuleScript,
}

const DEDICATED: &str = "new Worker(SCRIPT)";
const DEDICATED_MODULE: &str = "new Worker(SCRIPT, {type: 'module'})";
const SHARED: &str = "new SharedWorker(SCRIPT)";
const SHARED_MODULE: &str = "new SharedWorker(SCRIPT, {type: 'module'})";
const SERVICE: &str = "await installing(SCRIPT, {})";
const SERVICE_MODULE: &str = "await installing(SCRIPT, {type: 'module'})";

#[rustfmt::skip]
const WRAPPERS: [Wrapper; 11] = [
    page(".any.html", Global::Window),
    worker_page(".any.worker.html", CLASSIC, Global::DedicatedWorker, DEDICATED),
    worker_page(".any.worker-module.html", MODULE, Global::DedicatedWorkerModule, DEDICATED_MODULE),
    worker_page(".any.sharedworker.html", CLASSIC, Global::SharedWorker, SHARED),
    worker_page(".any.sharedworker-module.html", MODULE, Global::SharedWorkerModule, SHARED_MODULE),
    worker_page(".any.serviceworker.html", CLASSIC, Global::ServiceWorker, SERVICE),
    worker_page(".any.serviceworker-module.html", MODULE, Global::ServiceWorkerModule, SERVICE_MODULE),
    script(CLASSIC, Kind::ClassicScript),
    script(MODULE, Kind::ModuleScript),
    Wrapper { suffix: ".window.html", file: ".window.js", script: ".window.js", global: None, kind: Kind::Page },
    Wrapper { suffix: ".worker.html", file: ".worker.js", script: ".worker.js", global: None, kind: Kind::WorkerPage(DEDICATED) },
];

const CLASSIC: &str = ".any.worker.js";
const MODULE: &str = ".any.worker-module.js";

const fn page(suffix: &'static str, global: Global) -> Wrapper {
    Wrapper {
        suffix,
        file: ".any.js",
        script: ".any.js",
        global: Some(global),
        kind: Kind::Page,
    }
}

const fn worker_page(
    suffix: &'static str,
    script: &'static str,
    global: Global,
    worker: &'static str,
) -> Wrapper {
    Wrapper {
        suffix,
        file: ".any.js",
        script,
        global: Some(global),
        kind: Kind::WorkerPage(worker),
    }
}

const fn script(suffix: &'static str, kind: Kind) -> Wrapper {
    Wrapper {
        suffix,
        file: ".any.js",
        script: ".any.js",
        global: None,
        kind,
    }
}

/// A wrapper that a URL asks for.
#[derive(Clone, Debug)]
pub(crate) struct Wrapped {
    /// The path of the file that is wrapped.
    pub(crate) file: String,
    /// The path of the script that the wrapper loads.
    script: String,
    wrapper: Wrapper,
}

impl Wrapped {
    /// The wrapper at a URL's path; there may be a plain file of that name.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let (wrapper, stem) = WRAPPERS.iter().find_map(|wrapper| {
            let stem = path.strip_suffix(wrapper.suffix)?;
            Some((*wrapper, stem))
        })?;
        Some(Self {
            file: format!("{stem}{}", wrapper.file),
            script: format!("{stem}{}", wrapper.script),
            wrapper,
        })
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.wrapper.kind {
            Kind::Page | Kind::WorkerPage(_) => "text/html",
            Kind::ClassicScript | Kind::ModuleScript => "text/javascript",
        }
    }

    /// The wrapper for a file with `metadata`, at a URL with `query`; `None` when the file is not
    /// meant for this global.
    pub(crate) fn content(&self, metadata: &Metadata, query: &str) -> Option<String> {
        if let Some(global) = self.wrapper.global
            && !metadata.globals().contains(&global)
        {
            return None;
        }
        let script = &self.script;
        Some(match self.wrapper.kind {
            Kind::Page => {
                let is_multi_global = self.wrapper.global.is_some();
                let mut content = head(metadata, is_multi_global);
                for (_, source) in metadata.iter().filter(|(key, _)| *key == "script") {
                    content += &script_element(source);
                }
                content + &script_element(script)
            }
            Kind::WorkerPage(worker) => {
                let url = match query {
                    "" => script.clone(),
                    _ => format!("{script}?{query}"),
                };
                let worker = worker.replace("SCRIPT", &literal(&url).replace('<', "\\x3C"));
                head(metadata, false) + &worker_start(&worker)
            }
            Kind::ClassicScript => {
                let load = |url: &str| format!("importScripts({});\n", literal(url));
                worker_script(metadata, script, load)
            }
            Kind::ModuleScript => {
                let load = |url: &str| format!("import {};\n", literal(url));
                worker_script(metadata, script, load)
            }
        })
    }
}

/// What all pages start with.
fn head(metadata: &Metadata, with_global: bool) -> String {
    let mut head = "<!doctype html>\n<meta charset=utf-8>\n".to_owned();
    for (key, value) in metadata.iter() {
        match (key, value) {
            ("timeout", "long") => head += "<meta name=\"timeout\" content=\"long\">\n",
            ("title", title) => {
                let title = title.replace('&', "&amp;").replace('<', "&lt;");
                head.extend(["<title>", &title, "</title>\n"]);
            }
            _ => {}
        }
    }
    if with_global {
        head.extend(["<script>\n", &global_object(true), "</script>\n"]);
    }
    head + "<script src=\"/resources/testharness.js\"></script>\n\
            <script src=\"/resources/testharnessreport.js\"></script>\n\
            <div id=log></div>\n"
}

/// What tells a multi-global test where it runs.
fn global_object(is_window: bool) -> String {
    format!(
        "self.GLOBAL = {{\n  isWindow: () => {is_window},\n  isWorker: () => {},\n  isShadowRealm: () => false,\n}};\n",
        !is_window
    )
}

/// Runs a test in a worker. A service worker of an earlier run of the test goes first.
fn worker_start(worker: &str) -> String {
    let mut start = "<script>\n".to_owned();
    if worker.starts_with("await ") {
        start += "async function installing(script, options) {\n\
                  \x20 const scope = 'does/not/exist';\n\
                  \x20 const earlier = await navigator.serviceWorker.getRegistration(scope);\n\
                  \x20 await earlier?.unregister();\n\
                  \x20 const registration =\n\
                  \x20     await navigator.serviceWorker.register(script, {...options, scope});\n\
                  \x20 return registration.installing;\n\
                  }\n";
    }
    start + &format!("(async () => {{\n  fetch_tests_from_worker({worker});\n}})();\n</script>\n")
}

fn worker_script(metadata: &Metadata, script: &str, load: impl Fn(&str) -> String) -> String {
    let mut content = String::new();
    let titles = metadata.iter().filter(|(key, _)| *key == "title");
    for (_, title) in titles {
        content.extend(["self.META_TITLE = ", &literal(title), ";\n"]);
    }
    content += &global_object(false);
    content += &load("/resources/testharness.js");
    let scripts = metadata.iter().filter(|(key, _)| *key == "script");
    for (_, source) in scripts {
        content += &load(source);
    }
    content + &load(script) + "done();\n"
}

fn script_element(source: &str) -> String {
    let source = source.replace('&', "&amp;").replace('"', "&quot;");
    format!("<script src=\"{source}\"></script>\n")
}

/// A string literal of JavaScript.
fn literal(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &str, script: &str, query: &str) -> Option<String> {
        let wrapped = Wrapped::at(path)?;
        wrapped.content(&Metadata::of_script(script.as_bytes()), query)
    }

    #[test]
    fn every_wrapper_knows_its_file() {
        for (path, file) in [
            ("/a/b.https.any.html", "/a/b.https.any.js"),
            ("/a.any.worker.html", "/a.any.js"),
            ("/a.any.worker.js", "/a.any.js"),
            ("/a.any.serviceworker-module.html", "/a.any.js"),
            ("/a.window.html", "/a.window.js"),
            ("/a.worker.html", "/a.worker.js"),
        ] {
            assert_eq!(Wrapped::at(path).unwrap().file, file);
        }
        assert!(Wrapped::at("/a.html").is_none());
        assert!(Wrapped::at("/a.any.js").is_none());
    }

    #[test]
    fn a_page_is_there_only_for_the_globals_of_the_test() {
        let script = "// META: global=serviceworker\n";
        assert!(content("/a.any.serviceworker.html", script, "").is_some());
        assert_eq!(content("/a.any.html", script, ""), None);
        assert_eq!(content("/a.any.sharedworker.html", script, ""), None);
    }

    #[test]
    fn a_page_loads_the_scripts_before_the_test() {
        let script = "// META: title=a<b\n// META: script=x.js?a&b\n// META: timeout=long\n";
        let page = content("/a.any.html", script, "x").unwrap();
        let positions = [
            "<meta name=\"timeout\" content=\"long\">",
            "self.GLOBAL",
            "/resources/testharness.js",
            "\"x.js?a&amp;b\"",
            "\"/a.any.js\"",
        ]
        .map(|text| page.find(text).unwrap());
        assert!(positions.is_sorted(), "{page}");
        assert!(page.contains("<title>a&lt;b</title>"));
    }

    #[test]
    fn a_worker_page_hands_its_query_on() {
        let script = "// META: global=sharedworker-module\n";
        let page = content("/a.any.sharedworker-module.html", script, "q").unwrap();
        assert!(
            page.contains(r#"new SharedWorker("/a.any.worker-module.js?q", {type: 'module'})"#),
            "{page}"
        );
    }

    #[test]
    fn a_worker_script_says_when_it_is_done() {
        let script = "// META: title=T\n// META: script=\"x\".js\n";
        let classic = content("/a.any.worker.js", script, "").unwrap();
        assert!(
            classic.ends_with(
                "importScripts(\"\\\"x\\\".js\");\nimportScripts(\"/a.any.js\");\ndone();\n"
            ),
            "{classic}"
        );
        assert!(classic.starts_with("self.META_TITLE = \"T\";\n"));
        let module = content("/a.any.worker-module.js", script, "").unwrap();
        assert!(module.contains("import \"/a.any.js\";\n"), "{module}");
    }
}
