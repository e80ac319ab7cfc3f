use wpt_server::{FindError, Test, TestKind, Timeout, Tree, find};

use crate::client::folder;

const HARNESS: &str = "<script src=/resources/testharness.js></script>";

fn urls(tests: &[Test]) -> Vec<&str> {
    tests.iter().map(|test| test.url.as_str()).collect()
}

fn all(files: &[(&str, &str)]) -> Vec<Test> {
    let folder = folder(files);
    find(&Tree::new().folder("/", folder.path()), &[]).unwrap()
}

#[test]
fn a_multi_global_test_is_one_test_for_each_global_and_variant() {
    let tests = all(&[
        (
            "a/x.https.any.js",
            "// META: global=window,worker\n// META: timeout=long\n// META: variant=?1\n// META: variant=?2\n",
        ),
        ("a/y.any.js", "test(() => {});"),
        ("a/z.any.js", "// META: global=serviceworker-module\n"),
        ("a/u.window.js", ""),
        ("a/v.worker.js", ""),
    ]);
    assert_eq!(
        urls(&tests),
        [
            "/a/u.window.html",
            "/a/v.worker.html",
            "/a/x.https.any.html?1",
            "/a/x.https.any.html?2",
            "/a/x.https.any.serviceworker.html?1",
            "/a/x.https.any.serviceworker.html?2",
            "/a/x.https.any.sharedworker.html?1",
            "/a/x.https.any.sharedworker.html?2",
            "/a/x.https.any.worker.html?1",
            "/a/x.https.any.worker.html?2",
            "/a/y.any.html",
            "/a/y.any.worker.html",
            "/a/z.any.serviceworker-module.html",
        ]
    );
    let test = |url: &str| tests.iter().find(|test| test.url == url).unwrap();
    assert_eq!(test("/a/x.https.any.html?1").timeout, Timeout::Long);
    assert_eq!(test("/a/x.https.any.html?1").path, "/a/x.https.any.js");
    assert!(test("/a/x.https.any.html?1").https);
    assert_eq!(test("/a/y.any.html").timeout, Timeout::Normal);
    assert!(!test("/a/y.any.html").https);
    assert!(test("/a/z.any.serviceworker-module.html").https);
}

#[test]
fn a_page_is_a_test_when_it_loads_the_harness() {
    let long = format!("<meta name=timeout content=long>{HARNESS}");
    let tests = all(&[
        ("a/x.https.html", long.as_str()),
        ("a/helper.html", "<p>nothing"),
        ("a/crashtests/y.html", "<p>loads"),
        ("a/z-crash.html", "<p>loads"),
        ("a/x-manual.html", HARNESS),
        ("a/x.h2.html", HARNESS),
        ("a/resources/x.html", HARNESS),
        ("a/support/x.any.js", ""),
        ("common/x.html", HARNESS),
        ("a/helper.js", ""),
        ("a/x.https.html.headers", ""),
        ("top.html", HARNESS),
    ]);
    assert_eq!(
        urls(&tests),
        ["/a/crashtests/y.html", "/a/x.https.html", "/a/z-crash.html"]
    );
    assert_eq!(tests[0].kind, TestKind::Crashtest);
    assert_eq!(tests[1].kind, TestKind::Testharness);
    assert_eq!(tests[1].timeout.seconds(), 60);
}

#[test]
fn paths_lead_to_tests() {
    let folder = folder(&[
        ("a/b/x.any.js", "// META: variant=?1\n"),
        ("a/b2/y.window.js", ""),
        ("c/z.window.js", ""),
    ]);
    let tree = Tree::new().folder("/", folder.path());
    let found = |path: &str| match find(&tree, &[path.to_owned()]) {
        Ok(tests) => tests.into_iter().map(|test| test.url).collect(),
        Err(error) => vec![error.to_string()],
    };
    let both = ["/a/b/x.any.html?1", "/a/b/x.any.worker.html?1"];
    assert_eq!(found("a/b"), both);
    assert_eq!(found("/a/b/"), both);
    assert_eq!(found("a/b/x.any.js"), both);
    assert_eq!(found("/a/b/x.any.html"), both[..1]);
    assert_eq!(found("/a/b/x.any.html?1"), both[..1]);
    let on_disk = folder.path().join("a/b2");
    assert_eq!(found(on_disk.to_str().unwrap()), ["/a/b2/y.window.html"]);
    assert_eq!(found("/").len(), 4);
    assert_eq!(found("/a/b3"), ["there is no test at /a/b3"]);
    let several = [
        "c".to_owned(),
        "a/b2".to_owned(),
        "c/z.window.js".to_owned(),
    ];
    let tests = find(&tree, &several).unwrap();
    assert_eq!(urls(&tests), ["/a/b2/y.window.html", "/c/z.window.html"]);
}

#[test]
fn a_path_without_a_test_is_an_error() {
    let folder = folder(&[("a/helper.js", "")]);
    let tree = Tree::new().folder("/", folder.path());
    let error = find(&tree, &["a/helper.js".to_owned()]).unwrap_err();
    assert!(matches!(error, FindError::NoTest(path) if path == "a/helper.js"));
}

#[test]
fn the_file_that_is_served_counts() {
    let first = folder(&[("a/x.any.js", "// META: global=window\n")]);
    let second = folder(&[
        ("a/x.any.js", "// META: global=worker\n"),
        ("a/y.window.js", ""),
    ]);
    let tree = Tree::new()
        .folder("/", first.path())
        .folder("/", second.path());
    let tests = find(&tree, &[]).unwrap();
    assert_eq!(urls(&tests), ["/a/x.any.html", "/a/y.window.html"]);
}
