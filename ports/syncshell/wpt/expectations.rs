//! What is expected of each test: `wpt/meta/`, in wptrunner's form.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ini::Section;
use super::result::{Status, TestResult};

/// What is expected of the tests that one file makes.
#[derive(Clone, Debug)]
pub(crate) struct MetaFile {
    path: PathBuf,
    root: Section,
    /// Why no test of the folder is run.
    folder_disabled: Option<String>,
    changed: bool,
}

/// A result that was not expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    /// Which subtest; none for the file itself.
    pub(crate) subtest: Option<String>,
    pub(crate) expected: Vec<Status>,
    pub(crate) actual: Status,
    pub(crate) message: Option<String>,
}

impl MetaFile {
    /// Read what is expected of a test file, whose path is relative to the root of the tests.
    pub(crate) fn load(meta: &Path, source: &str) -> Result<Self, String> {
        let path = meta.join(format!("{source}.ini"));
        let root = read(&path)?;
        let mut folder_disabled = None;
        let mut folder = path.parent();
        while let Some(parent) = folder.filter(|folder| folder.starts_with(meta)) {
            let inherited = read(&parent.join("__dir__.ini"))?;
            let reason = inherited.value("disabled").map(ToOwned::to_owned);
            folder_disabled = folder_disabled.or(reason);
            folder = parent.parent();
        }
        let file = Self {
            path,
            root,
            folder_disabled,
            changed: false,
        };
        file.check()?;
        Ok(file)
    }

    /// Every expectation is one that there is.
    fn check(&self) -> Result<(), String> {
        for test in &self.root.sections {
            for section in std::iter::once(test).chain(&test.sections) {
                if let Some(text) = section.value("expected") {
                    statuses(text).map_err(|error| format!("{}: {error}", self.path.display()))?;
                }
            }
        }
        Ok(())
    }

    /// Why a test is not to be run.
    pub(crate) fn disabled(&self, test: &str) -> Option<&str> {
        self.root
            .section(test)
            .and_then(|section| section.value("disabled"))
            .or_else(|| self.root.value("disabled"))
            .or(self.folder_disabled.as_deref())
    }

    /// Results that were not expected. The file itself should end with `good`.
    pub(crate) fn differences(
        &self,
        test: &str,
        good: Status,
        result: &TestResult,
    ) -> Vec<Difference> {
        let section = self.root.section(test);
        let own = difference(None, section, good, result.status, result.message.as_ref());
        let subtests = result.subtests.iter().filter_map(|subtest| {
            difference(
                Some(&subtest.name),
                section.and_then(|section| section.section(&subtest.name)),
                Status::Pass,
                subtest.status,
                subtest.message.as_ref(),
            )
        });
        own.into_iter().chain(subtests).collect()
    }

    /// From now on, expect what has happened. What several results are expected of keeps them when
    /// one of them came. Words about a bug go when the bug does.
    pub(crate) fn update(&mut self, test: &str, good: Status, result: &TestResult) {
        let before = self.root.clone();
        let section = self.root.section_mut(test);
        expect(section, good, result.status);
        for subtest in &result.subtests {
            if subtest.status != Status::Pass || section.section(&subtest.name).is_some() {
                let section = section.section_mut(&subtest.name);
                expect(section, Status::Pass, subtest.status);
            }
        }
        let ran_to_its_end = result.status == Status::Ok;
        section.sections.retain(|section| {
            let mut present = result.subtests.iter();
            let is_gone = ran_to_its_end && !present.any(|subtest| subtest.name == section.name);
            !is_gone && section.value("expected").is_some()
        });
        let says_something = section.value("expected").is_some()
            || section.value("disabled").is_some()
            || !section.sections.is_empty();
        if !says_something {
            self.root.sections.retain(|section| section.name != test);
        }
        self.changed |= self.root != before;
    }

    /// The tests, each with this file, that have expectations which do not say why: neither the
    /// expectation nor the section of its test has a `bug`.
    pub(crate) fn unexplained(&self) -> impl Iterator<Item = (&Path, &str)> {
        let bare = |section: &Section| {
            section.value("expected").is_some() && section.value("bug").is_none()
        };
        let tests = self.root.sections.iter();
        tests
            .filter(|test| test.value("bug").is_none())
            .filter(move |test| bare(test) || test.sections.iter().any(bare))
            .map(|test| (self.path.as_path(), test.name.as_str()))
    }

    /// Write the file, if it has changed. One that says nothing is removed.
    pub(crate) fn save(&self) -> Result<(), String> {
        if !self.changed {
            return Ok(());
        }
        let written = if self.root.is_empty() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        } else {
            let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
            folder.and_then(|()| fs::write(&self.path, self.root.to_string()))
        };
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()))
    }
}

fn read(path: &Path) -> Result<Section, String> {
    match fs::read_to_string(path) {
        Ok(text) => Section::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Section::default()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// `FAIL`, or `[PASS, FAIL]` where it is sometimes the one and sometimes the other.
fn statuses(text: &str) -> Result<Vec<Status>, String> {
    let list = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    list.split(',').map(|word| word.trim().parse()).collect()
}

fn expected(section: Option<&Section>, default: Status) -> Vec<Status> {
    section
        .and_then(|section| section.value("expected"))
        .and_then(|text| statuses(text).ok())
        .unwrap_or_else(|| vec![default])
}

fn difference(
    subtest: Option<&str>,
    section: Option<&Section>,
    default: Status,
    actual: Status,
    message: Option<&String>,
) -> Option<Difference> {
    let expected = expected(section, default);
    let differs = !expected.contains(&actual);
    differs.then(|| Difference {
        subtest: subtest.map(ToOwned::to_owned),
        expected,
        actual,
        message: message.cloned(),
    })
}

fn expect(section: &mut Section, default: Status, actual: Status) {
    if actual == default && !expected(Some(section), default).contains(&default) {
        section.set("expected", None);
    } else if !expected(Some(section), default).contains(&actual) {
        section.set("expected", Some(&actual.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::SubtestResult;
    use super::*;

    fn result(status: Status, subtests: &[(&str, Status)]) -> TestResult {
        let subtests = subtests.iter().map(|(name, status)| SubtestResult {
            name: (*name).to_owned(),
            status: *status,
            message: (*status != Status::Pass).then(|| "why".to_owned()),
        });
        TestResult {
            subtests: subtests.collect(),
            ..TestResult::new(status, None)
        }
    }

    #[test]
    fn what_happened_is_expected_after_an_update() {
        let meta = tempfile::tempdir().unwrap();
        let load = || MetaFile::load(meta.path(), "a/b.html").unwrap();
        let good = result(Status::Ok, &[("x", Status::Pass), ("y", Status::Pass)]);
        assert_eq!(load().differences("b.html", Status::Ok, &good), []);

        let bad = result(Status::Timeout, &[("x", Status::Fail), ("y", Status::Pass)]);
        let differences = load().differences("b.html", Status::Ok, &bad);
        let told: Vec<_> = differences
            .iter()
            .map(|it| (it.subtest.as_deref(), it.actual))
            .collect();
        assert_eq!(told, [(None, Status::Timeout), (Some("x"), Status::Fail)]);
        let mut file = load();
        file.update("b.html", Status::Ok, &bad);
        file.save().unwrap();
        let text = fs::read_to_string(meta.path().join("a/b.html.ini")).unwrap();
        assert_eq!(
            text,
            "[b.html]\n  expected: TIMEOUT\n  [x]\n    expected: FAIL\n"
        );
        assert_eq!(load().differences("b.html", Status::Ok, &bad), []);
        assert_eq!(load().differences("b.html", Status::Ok, &good).len(), 2);

        let mut file = load();
        file.update("b.html", Status::Ok, &good);
        file.save().unwrap();
        assert!(!meta.path().join("a/b.html.ini").exists());
    }

    #[test]
    fn an_update_keeps_bugs_and_comments_of_what_still_fails() {
        let meta = tempfile::tempdir().unwrap();
        let path = meta.path().join("b.html.ini");
        let text = "\
# streams
[b.html]
  bug: streams
  [x]
    # as x
    bug: bytes
    expected: FAIL

  [sometimes]
    expected: [PASS, FAIL]

  [gone]
    expected: FAIL

  [mended]
    bug: old
    expected: FAIL
";
        fs::write(&path, text).unwrap();
        let mut file = MetaFile::load(meta.path(), "b.html").unwrap();
        let now = [
            ("x", Status::Timeout),
            ("sometimes", Status::Pass),
            ("mended", Status::Pass),
        ];
        file.update("b.html", Status::Ok, &result(Status::Ok, &now));
        file.save().unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "\
# streams
[b.html]
  bug: streams
  [x]
    # as x
    bug: bytes
    expected: TIMEOUT

  [sometimes]
    expected: [PASS, FAIL]
"
        );
    }

    #[test]
    fn what_does_not_say_why_is_found() {
        let meta = tempfile::tempdir().unwrap();
        let text = "\
[a.html]
  bug: streams
  [x]
    expected: FAIL
[b.html]
  [x]
    bug: streams
    expected: FAIL
  [y]
    expected: FAIL
[c.html]
  expected: TIMEOUT
";
        fs::write(meta.path().join("a.html.ini"), text).unwrap();
        let file = MetaFile::load(meta.path(), "a.html").unwrap();
        let found: Vec<_> = file.unexplained().map(|(_, test)| test).collect();
        assert_eq!(found, ["b.html", "c.html"]);
    }

    #[test]
    fn tests_folders_and_files_can_be_disabled() {
        let meta = tempfile::tempdir().unwrap();
        fs::create_dir(meta.path().join("a")).unwrap();
        fs::write(meta.path().join("a/__dir__.ini"), "disabled: no paint\n").unwrap();
        fs::write(
            meta.path().join("b.html.ini"),
            "[b.html?x]\n  disabled: slow\n",
        )
        .unwrap();
        let load = |source| MetaFile::load(meta.path(), source).unwrap();
        assert_eq!(load("a/c.html").disabled("c.html"), Some("no paint"));
        assert_eq!(load("b.html").disabled("b.html?x"), Some("slow"));
        assert_eq!(load("b.html").disabled("b.html"), None);
    }

    #[test]
    fn an_expectation_that_makes_no_sense_is_an_error() {
        let meta = tempfile::tempdir().unwrap();
        fs::write(
            meta.path().join("b.html.ini"),
            "[b.html]\n  expected: BAD\n",
        )
        .unwrap();
        let error = MetaFile::load(meta.path(), "b.html").unwrap_err();
        assert!(
            error.contains("BAD") && error.contains("b.html.ini"),
            "{error}"
        );
    }
}
