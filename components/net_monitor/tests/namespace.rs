//! Tests that change network interfaces run in a network namespace of their own, in a second
//! process of this test binary: the system's own network is left alone.

use std::env;
use std::process::Command;

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "NET_MONITOR_TEST_IN_NAMESPACE";

/// Runs `test`, which is the test named `name`, in a new network namespace.
///
/// Fails, and says what is missing, when the system does not permit it.
pub(crate) fn in_new_namespace(name: &str, test: impl FnOnce()) {
    if env::vars_os().any(|(variable, _)| variable == INSIDE) {
        return test();
    }
    let binary = env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(binary)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("this test needs `unshare` of util-linux");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        stdout.contains("running 1 test"),
        "this test needs unprivileged user and network namespaces \
         (sysctl kernel.unprivileged_userns_clone, user.max_net_namespaces, or a seccomp filter \
         may forbid them): {stderr}{stdout}"
    );
    assert!(
        output.status.success(),
        "in the namespace: {stdout}{stderr}"
    );
}

/// Runs `ip` of iproute2 with the words of `arguments`.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("this test needs `ip` of iproute2");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {stderr}");
}
