//! The tests that there are, and what they are served from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;
use wpt_server::{Addresses, TestKind};

use super::result::Status;
use super::supervisor::Job;

/// One test: a file in one of its scopes and variants.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// Its path and query, by which reports name it.
    pub(crate) id: String,
    /// The file, relative to the root of the tests.
    pub(crate) source: String,
    /// Where it is served.
    pub(crate) url: Url,
    /// It is a crash test: it passes when it has loaded.
    pub(crate) only_loads: bool,
    pub(crate) time_limit: Duration,
}

impl Test {
    pub(crate) fn new(test: &wpt_server::Test, addresses: &Addresses) -> Result<Self, String> {
        let url = addresses.url(test);
        Ok(Self {
            id: test.url.clone(),
            source: test.path.trim_start_matches('/').to_owned(),
            url: Url::parse(&url).map_err(|error| format!("{url}: {error}"))?,
            only_loads: test.kind == TestKind::Crashtest,
            time_limit: Duration::from_secs(test.timeout.seconds()),
        })
    }

    /// What expectations call it: the last part of its name.
    pub(crate) fn section(&self) -> &str {
        let path_ends = self.id.find(['?', '#']).unwrap_or(self.id.len());
        let start = self.id[..path_ends].rfind('/').map_or(0, |slash| slash + 1);
        &self.id[start..]
    }

    /// How it should end.
    pub(crate) fn good(&self) -> Status {
        if self.only_loads {
            Status::Pass
        } else {
            Status::Ok
        }
    }

    pub(crate) fn job(&self, multiplier: f64) -> Job {
        Job {
            url: self.url.clone(),
            only_loads: self.only_loads,
            time_limit: self.time_limit.mul_f64(multiplier),
        }
    }
}

/// The folder with the tests, the harness and the expectations.
pub(crate) fn root(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(root) = given {
        return if root.join("harness").is_dir() {
            Ok(root.to_owned())
        } else {
            Err(format!("{} has no folder harness", root.display()))
        };
    }
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    let found = here
        .ancestors()
        .map(|folder| folder.join("wpt"))
        .find(|root| root.join("harness").is_dir());
    found.ok_or_else(|| {
        "there is no folder wpt with a harness here or above; name it with --root".to_owned()
    })
}

/// The pinned revision of upstream's tests.
pub(crate) fn revision(root: &Path) -> Result<String, String> {
    let file = root.join("revision");
    std::fs::read_to_string(&file)
        .map(|text| text.trim().to_owned())
        .map_err(|error| format!("cannot read {}: {error}", file.display()))
}

/// A list of upstream's paths: one a line. `!PATH REASON` leaves out what is below a path, and `#`
/// begins a comment.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct List {
    pub(crate) paths: Vec<String>,
    /// With reasons.
    pub(crate) left_out: Vec<(String, String)>,
}

impl List {
    /// Read the lists with these names.
    pub(crate) fn read(root: &Path, names: &[String]) -> Result<Self, String> {
        let mut list = Self::default();
        for name in names {
            let file = root.join("lists").join(format!("{name}.txt"));
            let text = std::fs::read_to_string(&file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
            list.parse(&text)
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(list)
    }

    fn parse(&mut self, text: &str) -> Result<(), String> {
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let Some(left_out) = line.strip_prefix('!') else {
                self.paths.push(line.to_owned());
                continue;
            };
            let (path, reason) = left_out
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("\"{line}\" gives no reason"))?;
            self.left_out
                .push((path.to_owned(), reason.trim().to_owned()));
        }
        Ok(())
    }

    /// Why a test file is left out.
    pub(crate) fn reason(&self, source: &str) -> Option<&str> {
        let below = |path: &str| {
            let path = path.trim_matches('/');
            let rest = source.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.left_out.iter().find(|(path, _)| below(path));
        found.map(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_name_a_test_by_the_end_of_its_path() {
        let test = |id: &str| Test {
            id: id.to_owned(),
            source: String::new(),
            url: Url::parse("http://localhost/").unwrap(),
            only_loads: false,
            time_limit: Duration::from_secs(10),
        };
        assert_eq!(test("/a/b.any.worker.html").section(), "b.any.worker.html");
        assert_eq!(test("/a/b.html?c=/d").section(), "b.html?c=/d");
        assert_eq!(test("b.html").section(), "b.html");
    }

    #[test]
    fn a_list_says_what_is_left_out_and_why() {
        let mut list = List::default();
        list.parse("# T1\n/a/b.html\n\na/c/  # c\n!a/c/paint  needs paint\n")
            .unwrap();
        assert_eq!(list.paths, ["/a/b.html", "a/c/"]);
        assert_eq!(list.reason("a/c/paint/x.html"), Some("needs paint"));
        assert_eq!(list.reason("a/c/painted.html"), None);
        assert!(list.parse("!a").unwrap_err().contains("!a"));
    }
}
