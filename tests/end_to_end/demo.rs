use std::process::Command;

#[test]
fn the_demo_delivers_each_mail_exactly_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_shell-under-test"))
        .arg("demo")
        .output()
        .unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{story}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in [
        "killed with SIGKILL",
        "waiting for network",
        "sync event dispatched, attempt 1",
        "received \"The first bug\" for grace@example.org",
        "3 mails were written offline, and the server received each exactly once",
    ] {
        assert!(story.contains(line), "\"{line}\" is missing in:\n{story}");
    }
    assert!(
        !story.contains('\u{1b}'),
        "no colours when nobody looks:\n{story}"
    );
}
