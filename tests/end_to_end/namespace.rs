//! Tests that change network links run in a network namespace of their own, in a second process of
//! this test binary: the system's own network is left alone.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Output};

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "BACKGROUND_SYNC_TEST_INSIDE_NAMESPACE";

/// Runs `test`, which is the test named `name`, in a new network namespace whose loopback is up.
///
/// Where the system does not permit it, the test is skipped, and says so on standard error.
pub(crate) fn in_new_namespace(name: &str, test: impl FnOnce()) {
    if env::vars_os().any(|(variable, _)| variable == INSIDE) {
        ip("link set lo up");
        return test();
    }
    if let Err(reason) = is_permitted() {
        let skipped = format!(
            "SKIPPED {name}: no unprivileged user and network namespaces (sysctl \
             kernel.unprivileged_userns_clone, user.max_net_namespaces, or a seccomp filter may \
             forbid them): {reason}\n"
        );
        io::stderr().write_all(skipped.as_bytes()).unwrap();
        return;
    }
    let output = unshare()
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && stdout.contains("running 1 test"),
        "in the namespace: {stdout}{stderr}"
    );
}

fn is_permitted() -> Result<(), String> {
    let output = unshare().arg("true").output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// `unshare` of util-linux, which runs what follows in a new network namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]);
    command
}

/// Runs `ip` of iproute2 with the words of `arguments`.
pub(crate) fn ip(arguments: &str) {
    let mut command = Command::new("ip");
    command.args(arguments.split_whitespace());
    succeed(command);
}

/// Runs `ip` in the network namespace of a process.
pub(crate) fn ip_of(process: u32, arguments: &str) {
    let mut command = inside(process, "ip");
    command.args(arguments.split_whitespace());
    succeed(command);
}

/// A program in the network namespace of a process.
pub(crate) fn inside(process: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--net", "--target", &process.to_string(), "--", program]);
    command
}

fn succeed(mut command: Command) -> Output {
    let output = command.output();
    let output = output.expect("iproute2 and util-linux are there");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    output
}

/// From now on this thread, and what it starts, has no permission for netlink sockets.
#[cfg(target_arch = "x86_64")]
pub(crate) fn forbid_netlink() {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, SeccompCondition,
        SeccompFilter, SeccompRule, TargetArch,
    };
    const SOCKET: i64 = 41;
    const AF_NETLINK: u64 = 16;
    const EACCES: u32 = 13;
    let is_netlink = SeccompCondition::new(0, Dword, Eq, AF_NETLINK).unwrap();
    let filter = SeccompFilter::new(
        [(SOCKET, vec![SeccompRule::new(vec![is_netlink]).unwrap()])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(EACCES),
        TargetArch::x86_64,
    );
    seccompiler::apply_filter(&BpfProgram::try_from(filter.unwrap()).unwrap()).unwrap();
}
