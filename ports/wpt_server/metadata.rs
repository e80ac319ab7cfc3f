//! `// META:` comments at the start of a script, and what they say.

/// The kinds of globals that a multi-global test runs in.
///
/// <https://web-platform-tests.org/writing-tests/testharness.html#multi-global-tests>
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Global {
    Window,
    DedicatedWorker,
    DedicatedWorkerModule,
    SharedWorker,
    SharedWorkerModule,
    ServiceWorker,
    ServiceWorkerModule,
}

impl Global {
    /// What takes the place of `.any.js` in the URL of the test.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Window => ".any.html",
            Self::DedicatedWorker => ".any.worker.html",
            Self::DedicatedWorkerModule => ".any.worker-module.html",
            Self::SharedWorker => ".any.sharedworker.html",
            Self::SharedWorkerModule => ".any.sharedworker-module.html",
            Self::ServiceWorker => ".any.serviceworker.html",
            Self::ServiceWorkerModule => ".any.serviceworker-module.html",
        }
    }

    /// The globals behind one word of `META: global`; none for those that no browser has.
    fn named(name: &str) -> &'static [Global] {
        match name {
            "window" => &[Self::Window],
            "dedicatedworker" => &[Self::DedicatedWorker],
            "dedicatedworker-module" => &[Self::DedicatedWorkerModule],
            "sharedworker" => &[Self::SharedWorker],
            "sharedworker-module" => &[Self::SharedWorkerModule],
            "serviceworker" => &[Self::ServiceWorker],
            "serviceworker-module" => &[Self::ServiceWorkerModule],
            "worker" => &[
                Self::DedicatedWorker,
                Self::SharedWorker,
                Self::ServiceWorker,
            ],
            _ => &[],
        }
    }
}

/// Keys and values of `// META:` comments, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// Reads the comments at the start of `script`, up to the first line of another kind.
    pub(crate) fn of_script(script: &[u8]) -> Self {
        let script = String::from_utf8_lossy(script);
        Self(script.lines().map_while(parse_line).collect())
    }

    /// What a page says in `meta` elements.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(each, _)| *each == key)
            .map(|(_, value)| value)
    }

    /// The globals of a multi-global test, sorted: a window and a dedicated worker unless it says
    /// otherwise.
    pub(crate) fn globals(&self) -> Vec<Global> {
        let Some(named) = self
            .values("global")
            .next()
            .filter(|value| !value.is_empty())
        else {
            return vec![Global::Window, Global::DedicatedWorker];
        };
        let mut globals: Vec<_> = named
            .split(',')
            .flat_map(|name| Global::named(name.trim()))
            .copied()
            .collect();
        globals.sort_unstable();
        globals.dedup();
        globals
    }

    /// Query strings and fragments with which the test is run; the empty one when it names none.
    pub(crate) fn variants(&self) -> Vec<&str> {
        let variants: Vec<_> = self.values("variant").collect();
        if variants.is_empty() {
            return vec![""];
        }
        variants
    }

    /// Whether the test asks for more time.
    pub(crate) fn is_long(&self) -> bool {
        self.values("timeout")
            .any(|value| value.eq_ignore_ascii_case("long"))
    }
}

/// `// META: KEY=VALUE`.
fn parse_line(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("//")?.trim_start();
    let (key, value) = rest.strip_prefix("META:")?.trim_start().split_once('=')?;
    let is_word = key
        .chars()
        .all(|character| character.is_alphanumeric() || character == '_');
    is_word.then(|| (key.to_owned(), value.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_count_up_to_the_first_other_line() {
        let metadata = Metadata::of_script(
            b"// META: title=A=B\r\n//META:timeout=long\n\n// META: global=worker\n",
        );
        assert_eq!(
            metadata.iter().collect::<Vec<_>>(),
            [("title", "A=B"), ("timeout", "long")]
        );
        assert!(metadata.is_long());
    }

    #[test]
    fn a_worker_is_every_kind_of_classic_worker() {
        let metadata = Metadata::of_script(b"// META: global=worker, jsshell,window\n");
        assert_eq!(
            metadata.globals(),
            [
                Global::Window,
                Global::DedicatedWorker,
                Global::SharedWorker,
                Global::ServiceWorker
            ]
        );
    }

    #[test]
    fn a_test_without_globals_runs_in_a_window_and_a_dedicated_worker() {
        let globals = Metadata::of_script(b"test(() => {});").globals();
        assert_eq!(globals, [Global::Window, Global::DedicatedWorker]);
    }
}
