use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::markup;
use crate::metadata::{Global, Metadata};
use crate::tree::Tree;

/// One test: a URL, and how it is to be run.
///
/// <https://github.com/web-platform-tests/wpt/tree/master/tools/manifest>
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Test {
    /// The path with the query and fragment of the variant; what the test is known by.
    pub url: String,
    /// The path of the file that it comes from. Several tests may come from one.
    pub path: String,
    /// What running it means.
    pub kind: TestKind,
    /// How much time it has.
    pub timeout: Timeout,
    /// Whether it starts in a secure context.
    pub https: bool,
}

/// What running a test means.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TestKind {
    /// testharness.js reports subtests.
    Testharness,
    /// It passes when it has loaded without a crash.
    Crashtest,
}

/// How much time a test has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Timeout {
    /// 10 seconds.
    Normal,
    /// 60 seconds.
    Long,
}

impl Timeout {
    /// The time that the test has.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Normal => 10,
            Self::Long => 60,
        }
    }
}

/// Why no tests are found.
#[derive(Debug)]
pub enum FindError {
    /// Nothing in the tree has this path, or what has it is no test.
    NoTest(String),
    /// A folder or file of the tree cannot be read.
    Unreadable(PathBuf, io::Error),
}

impl fmt::Display for FindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTest(path) => write!(formatter, "there is no test at {path}"),
            Self::Unreadable(path, error) => {
                write!(formatter, "cannot read {}: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for FindError {}

/// The tests in `tree`, sorted by URL, as upstream's manifest has them. Where several entries of
/// the tree have a file for the same path, the file that is served counts.
///
/// With `paths`, only those are found that one of them leads to. Each is a folder or file on disk
/// (inside of a folder of the tree), or a URL's path: of a test, of its file, or of a folder above
/// it.
///
/// Helper files, manual and visual tests, reftests and tests for HTTP/2 are left out.
///
/// # Errors
///
/// When one of `paths` leads to no test, and when something cannot be read.
pub fn find(tree: &Tree, paths: &[String]) -> Result<Vec<Test>, FindError> {
    let mut tests = Vec::new();
    for (prefix, folder) in tree.folders() {
        walk(tree, prefix, folder, &mut tests)?;
    }
    tests.sort_unstable();
    tests.dedup();
    if paths.is_empty() {
        return Ok(tests);
    }
    let mut wanted = vec![false; tests.len()];
    for path in paths {
        let url_path = url_path(tree, path);
        let mut found = false;
        for (test, wanted) in tests.iter().zip(&mut wanted) {
            if leads_to(&url_path, test) {
                *wanted = true;
                found = true;
            }
        }
        if !found {
            return Err(FindError::NoTest(path.clone()));
        }
    }
    let mut wanted = wanted.into_iter();
    tests.retain(|_| wanted.next().unwrap_or(false));
    Ok(tests)
}

/// The path of a URL for what is given: a path on disk, or already a path of a URL.
fn url_path(tree: &Tree, path: &str) -> String {
    if let Ok(file) = Path::new(path).canonicalize() {
        for (prefix, folder) in tree.folders() {
            let inside = folder
                .canonicalize()
                .ok()
                .and_then(|folder| file.strip_prefix(folder).ok().map(to_url));
            if let Some(rest) = inside {
                return format!("{prefix}{rest}").trim_end_matches('/').to_owned();
            }
        }
    }
    format!("/{}", path.trim_matches('/'))
}

fn leads_to(path: &str, test: &Test) -> bool {
    let above = |whole: &str| {
        whole
            .strip_prefix(path.trim_end_matches('/'))
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let without_variant = test.url.split(['?', '#']).next().unwrap_or(&test.url);
    [&test.url, without_variant, &test.path].contains(&path) || above(&test.path)
}

fn walk(tree: &Tree, prefix: &str, folder: &Path, tests: &mut Vec<Test>) -> Result<(), FindError> {
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let unreadable = |error| FindError::Unreadable(current.clone(), error);
        for entry in std::fs::read_dir(&current).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (file, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else {
                continue;
            };
            if name.starts_with('.') || name == "node_modules" {
                continue;
            }
            if file.is_dir() {
                folders.push(file);
                continue;
            }
            let Ok(rest) = file.strip_prefix(folder) else {
                continue;
            };
            let path = format!("{prefix}{}", to_url(rest));
            if tree.file_at(&path).as_ref() == Some(&file) {
                tests.extend(tests_of(&path, &file)?);
            }
        }
    }
    Ok(())
}

/// A relative path of the file system with slashes.
fn to_url(path: &Path) -> String {
    let segments: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    segments.join("/")
}

/// The tests that a file is.
fn tests_of(path: &str, file: &Path) -> Result<Vec<Test>, FindError> {
    let Some(form) = form(path) else {
        return Ok(Vec::new());
    };
    let content = std::fs::read(file).map_err(|error| FindError::Unreadable(file.into(), error))?;
    let test = |url: String, metadata: &Metadata, kind| Test {
        https: is_https(&url),
        url,
        path: path.to_owned(),
        kind,
        timeout: if metadata.is_long() {
            Timeout::Long
        } else {
            Timeout::Normal
        },
    };
    let harness_tests = |urls: Vec<String>, metadata: &Metadata| -> Vec<Test> {
        urls.into_iter()
            .flat_map(|url| {
                let variants = metadata.variants().into_iter();
                variants.map(move |variant| format!("{url}{variant}"))
            })
            .map(|url| test(url, metadata, TestKind::Testharness))
            .collect()
    };
    Ok(match form {
        Form::Crashtest => {
            let metadata = markup::read(&content).metadata;
            vec![test(path.to_owned(), &metadata, TestKind::Crashtest)]
        }
        Form::MultiGlobal => {
            let metadata = Metadata::of_script(&content);
            let globals = metadata.globals().into_iter();
            let urls = globals.map(|global| multi_global_url(path, global));
            harness_tests(urls.collect(), &metadata)
        }
        Form::Script(stem) => {
            let url = format!("{stem}.html");
            harness_tests(vec![url], &Metadata::of_script(&content))
        }
        Form::Page => {
            let page = markup::read(&content);
            if page.has_testharness {
                harness_tests(vec![path.to_owned()], &page.metadata)
            } else {
                Vec::new()
            }
        }
    })
}

/// How a file is a test, as far as its name tells.
enum Form<'a> {
    Crashtest,
    /// `.any.js`.
    MultiGlobal,
    /// `.window.js` or `.worker.js`; the path without `.js`.
    Script(&'a str),
    /// A page, which is a test when it loads testharness.js.
    Page,
}

/// How the file at `path` may be a test. `None` for helpers and for what is not run.
///
/// <https://web-platform-tests.org/writing-tests/file-names.html>
fn form(path: &str) -> Option<Form<'_>> {
    let (folder, file) = path.strip_prefix('/')?.rsplit_once('/')?;
    let mut folders = folder.split('/');
    let helpers = |name| matches!(name, "resources" | "support" | "tools");
    if folder.split('/').any(helpers) || folders.next() == Some("common") {
        return None;
    }
    if file.starts_with("MANIFEST") {
        return None;
    }
    let (name, extension) = file.rsplit_once('.')?;
    let (stem, flags) = name.split_once('.').unwrap_or((name, ""));
    let flag = |wanted| flags.split('.').any(|flag| flag == wanted);
    let type_flag = stem.rsplit_once('-').map(|(_, flag)| flag);
    if matches!(type_flag, Some("manual" | "visual")) || flag("h2") {
        return None;
    }
    let is_page = matches!(extension, "html" | "htm" | "xhtml" | "xht" | "svg");
    match extension {
        _ if is_page && (type_flag == Some("crash") || folder.split('/').any(is_crashtests)) => {
            Some(Form::Crashtest)
        }
        "js" if flag("any") => Some(Form::MultiGlobal),
        "js" if flag("window") || flag("worker") => path.strip_suffix(".js").map(Form::Script),
        _ if is_page => Some(Form::Page),
        _ => None,
    }
}

fn is_crashtests(folder: &str) -> bool {
    folder == "crashtests"
}

/// `.any.` goes, wherever it is, and the suffix of the global comes.
fn multi_global_url(path: &str, global: Global) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.replacen(".any.", ".", 1);
    let stem = stem.strip_suffix(".js").unwrap_or(&stem);
    format!("{folder}/{stem}{}", global.suffix())
}

/// Whether a test starts in a secure context, by its name.
fn is_https(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.')
        .any(|flag| matches!(flag, "https" | "serviceworker" | "serviceworker-module"))
}
