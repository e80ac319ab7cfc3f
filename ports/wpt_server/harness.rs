use std::fmt;
use std::path::{Path, PathBuf};

use crate::tree::Tree;

/// The test harness is not installed.
#[derive(Debug)]
pub struct HarnessMissing(PathBuf);

impl fmt::Display for HarnessMissing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.0.display();
        write!(
            formatter,
            "the test harness is not installed in {folder}; {folder}/install installs it"
        )
    }
}

impl std::error::Error for HarnessMissing {}

/// Where the harness is served, and where it is in the npm packages.
const FILES: [(&str, &str); 4] = [
    ("/common/gc.js", "wpt-runner/common/gc.js"),
    (
        "/resources/idlharness.js",
        "wpt-runner/testharness/idlharness.js",
    ),
    (
        "/resources/testharness.js",
        "wpt-runner/testharness/testharness.js",
    ),
    (
        "/resources/webidl2/lib/webidl2.js",
        "wpt-runner/testharness/webidl2.js",
    ),
];

/// The test harness and the Web IDL of all specs, as installed in `folder` from the lock file there
/// (`wpt/harness` in the repository): testharness.js, idlharness.js and webidl2.js below
/// `/resources/`, and `/interfaces/SPEC.idl`.
///
/// `/resources/testharnessreport.js` and testdriver are not part of it.
///
/// # Errors
///
/// When it is not installed.
pub fn harness(folder: &Path) -> Result<Tree, HarnessMissing> {
    let packages = folder.join("node_modules");
    let interfaces = packages.join("@webref/idl");
    let mut tree = Tree::new();
    for (path, file) in FILES {
        let file = packages.join(file);
        if !file.is_file() {
            return Err(HarnessMissing(folder.to_owned()));
        }
        tree = tree.file(path, file);
    }
    if !interfaces.is_dir() {
        return Err(HarnessMissing(folder.to_owned()));
    }
    Ok(tree.folder("/interfaces/", interfaces))
}
