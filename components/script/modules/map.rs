//! The module map of a realm, and the graphs that wait for their modules.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use url::Url;

use super::script::{FetchOptions, ModuleScript, numbered_name};
use crate::bindings::{NoTrace, Realm, Traceable, Tracer, Value};

/// What is to happen when a graph is there, with the name of its root in the map, or is known not
/// to come, with the reason for a web developer.
pub(crate) type WhenFetched = Box<dyn FnOnce(&Realm, Result<String, String>)>;

/// The module scripts of a realm. A traced service of it, made for the first module.
///
/// <https://html.spec.whatwg.org/multipage/webappapis.html#module-map>
#[derive(Default)]
pub(super) struct ModuleMap {
    /// By URL; inline scripts by the names that the engine has for them.
    entries: RefCell<BTreeMap<String, Entry>>,
    /// Under which key the module is that the engine calls so.
    keys: NoTrace<RefCell<BTreeMap<String, String>>>,
    pub(super) waiting: RefCell<Vec<Waiting>>,
    /// The imports whose modules run, for as long as they do.
    pub(super) imports: RefCell<BTreeMap<u64, Import>>,
    pub(super) last_import: Cell<u64>,
    /// Set when the engine ran out of memory in the middle of a graph, whose modules then refer to
    /// what is not there.
    pub(super) broken: RefCell<Option<Value>>,
    /// Whether what the engine asks for are static imports.
    pub(super) is_compiling: Cell<bool>,
    last_number: Cell<u32>,
}

impl Traceable for ModuleMap {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.entries.trace(tracer);
        self.waiting.trace(tracer);
        self.imports.trace(tracer);
        self.broken.trace(tracer);
    }
}

enum Entry {
    Fetching,
    /// Why it cannot be had.
    Failed(String),
    Script(Rc<ModuleScript>),
}

impl Traceable for Entry {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Self::Script(script) = self {
            script.trace(tracer);
        }
    }
}

/// A graph that is not complete.
pub(super) struct Waiting {
    pub(super) root: String,
    /// How the root is fetched if it is not in the map.
    pub(super) root_request: Option<Wanted>,
    pub(super) then: Then,
}

/// Who waits for a graph.
pub(super) enum Then {
    Call(WhenFetched),
    Import(Import),
}

/// A call of `import()`: the functions that settle its promise.
pub(super) struct Import {
    pub(super) resolve: Value,
    pub(super) reject: Value,
}

impl Traceable for Import {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.resolve.trace(tracer);
        self.reject.trace(tracer);
    }
}

impl Traceable for Waiting {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        if let Then::Import(import) = &self.then {
            import.trace(tracer);
        }
    }
}

/// A module that has to be fetched.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) url: Url,
    /// What the request tells of, as far as the policy lets it.
    pub(crate) referrer: Option<Url>,
    pub(crate) options: FetchOptions,
    /// Whether it is the root of its graph, and not an import.
    pub(crate) is_top_level: bool,
}

/// How far a graph is.
pub(super) enum Graph {
    /// These are to be fetched; none when all that is missing is on its way.
    Incomplete(Vec<Wanted>),
    /// A module could not be had.
    Failed(String),
    Complete,
}

impl ModuleMap {
    pub(super) fn of(realm: &Realm) -> Rc<Self> {
        realm.service().unwrap_or_else(|| {
            let map = Rc::new(Self::default());
            realm.add_traced_service(Rc::clone(&map));
            map
        })
    }

    /// The script under this key.
    pub(super) fn script(&self, key: &str) -> Option<Rc<ModuleScript>> {
        match self.entries.borrow().get(key) {
            Some(Entry::Script(script)) => Some(Rc::clone(script)),
            _ => None,
        }
    }

    /// The script that the engine calls so.
    pub(super) fn script_by_name(&self, name: &str) -> Option<Rc<ModuleScript>> {
        let key = self.keys.borrow().get(name)?.clone();
        self.script(&key)
    }

    pub(super) fn set_fetching(&self, url: &Url) {
        self.entries
            .borrow_mut()
            .insert(url.to_string(), Entry::Fetching);
    }

    pub(super) fn add_failed(&self, url: &Url, reason: String) {
        self.entries
            .borrow_mut()
            .insert(url.to_string(), Entry::Failed(reason));
    }

    pub(super) fn add_script(&self, key: String, script: ModuleScript) {
        self.keys
            .borrow_mut()
            .insert(script.name.clone(), key.clone());
        self.entries
            .borrow_mut()
            .insert(key, Entry::Script(Rc::new(script)));
    }

    /// What the engine is to call a module from this URL: that URL, if no other module has it.
    pub(super) fn unused_name(&self, url: &Url) -> String {
        if self.keys.borrow().contains_key(url.as_str()) {
            self.numbered_name(url)
        } else {
            url.to_string()
        }
    }

    /// A name that no module has that is fetched.
    pub(super) fn numbered_name(&self, url: &Url) -> String {
        self.last_number.set(self.last_number.get() + 1);
        numbered_name(url, self.last_number.get())
    }

    /// <https://html.spec.whatwg.org/multipage/webappapis.html#fetch-the-descendants-of-and-link-a-module-script>
    pub(super) fn graph(&self, root: &str, root_request: Option<&Wanted>) -> Graph {
        let entries = self.entries.borrow();
        let mut wanted = Vec::new();
        let mut is_complete = true;
        let mut seen = BTreeSet::new();
        let mut left: Vec<(String, Option<Wanted>)> =
            vec![(root.to_owned(), root_request.cloned())];
        while let Some((key, request)) = left.pop() {
            if !seen.insert(key.clone()) {
                continue;
            }
            match entries.get(&key) {
                Some(Entry::Failed(reason)) => return Graph::Failed(reason.clone()),
                Some(Entry::Fetching) => is_complete = false,
                Some(Entry::Script(script)) => left.extend(imports_of(script).rev()),
                None => {
                    is_complete = false;
                    wanted.extend(request);
                }
            }
        }
        if is_complete {
            Graph::Complete
        } else {
            Graph::Incomplete(wanted)
        }
    }

    /// The first parse error in a complete graph.
    ///
    /// <https://html.spec.whatwg.org/multipage/webappapis.html#finding-the-first-parse-error>
    pub(super) fn first_parse_error(&self, root: &str) -> Option<Value> {
        self.in_order(root)
            .iter()
            .find_map(|script| script.parse_error().cloned())
    }

    /// The scripts of a complete graph, each before what it imports.
    pub(super) fn in_order(&self, root: &str) -> Vec<Rc<ModuleScript>> {
        let mut scripts = Vec::new();
        let mut seen = BTreeSet::new();
        let mut left = vec![root.to_owned()];
        while let Some(key) = left.pop() {
            if seen.insert(key.clone())
                && let Some(script) = self.script(&key)
            {
                left.extend(script.requested.iter().rev().map(ToString::to_string));
                scripts.push(script);
            }
        }
        scripts
    }
}

/// What a script imports, and how it is fetched.
fn imports_of(
    script: &ModuleScript,
) -> impl DoubleEndedIterator<Item = (String, Option<Wanted>)> + '_ {
    script.requested.iter().map(|url| {
        let wanted = Wanted {
            url: url.clone(),
            referrer: Some(script.base_url.clone()),
            options: script.options,
            is_top_level: false,
        };
        (url.to_string(), Some(wanted))
    })
}
