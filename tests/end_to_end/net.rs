//! What `syncshell net` tells of a real link.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use syncshell::{NetworkReport, ShellEvent};

#[cfg(target_arch = "x86_64")]
use crate::namespace::forbid_netlink;
use crate::namespace::{in_new_namespace, ip};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shell-under-test"));
    command
        .arg("net")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A running `syncshell net --json`.
struct Net {
    child: Child,
    input: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Net {
    fn start() -> Self {
        let mut child = program().arg("--json").spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            input,
            lines,
        }
    }

    /// What it tells next; nothing when it ends.
    fn next(&mut self) -> Option<ShellEvent> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).ok()?;
        assert!(value["time"].is_i64(), "{line}");
        Some(serde_json::from_value(value).unwrap())
    }

    fn wait_for(&mut self, is_it: impl Fn(&NetworkReport) -> bool) -> NetworkReport {
        loop {
            match self.next() {
                Some(ShellEvent::NetworkState(report)) if is_it(&report) => return report,
                Some(ShellEvent::NetworkState(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn wait_for_link(&mut self, link: &str) -> NetworkReport {
        self.wait_for(|report| report.link == link)
    }

    fn expect_end(mut self) {
        assert_eq!(self.next(), None);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_change_of_a_link_is_told_until_quit() {
    in_new_namespace("net::each_change_of_a_link_is_told_until_quit", || {
        let mut net = Net::start();
        let report = net.wait_for_link("none");
        assert_eq!(
            (report.online, report.identity, report.state.as_str()),
            (false, None, "offline: no link but loopback")
        );
        ip("link add near type veth peer name far");
        ip("link set far up");
        ip("link set near up");
        net.wait_for_link("no-address");
        ip("addr add 10.9.0.1/24 dev near");
        net.wait_for_link("no-route");
        ip("neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev near nud permanent");
        ip("route add default via 10.9.0.2 dev near");
        let report = net.wait_for(|report| report.identity.is_some());
        assert!(report.online && report.link == "routable");
        assert_eq!(report.captive_portal, None, "nobody looked for one");

        let once = program().arg("--once").output().unwrap();
        let text = String::from_utf8(once.stdout).unwrap();
        assert!(once.status.success() && text.lines().count() == 1, "{text}");
        assert!(text.contains("Z  online; network "), "{text}");

        ip("link set near down");
        assert!(!net.wait_for_link("none").online);
        writeln!(net.input, "sleep").unwrap();
        assert!(matches!(net.next(), Some(ShellEvent::Error { .. })));
        writeln!(net.input, "quit").unwrap();
        net.expect_end();
    });
}

#[test]
fn it_ends_when_nobody_reads_it_any_more_even_if_nothing_changes() {
    in_new_namespace(
        "net::it_ends_when_nobody_reads_it_any_more_even_if_nothing_changes",
        || {
            let mut child = program().arg("--json").spawn().unwrap();
            drop(child.stdout.take());
            // Waiting would close its input.
            let _input = child.stdin.take();
            assert!(child.wait().unwrap().success());
        },
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn without_permission_it_says_so_and_ends() {
    in_new_namespace("net::without_permission_it_says_so_and_ends", || {
        forbid_netlink();
        let output = program().arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            "error: cannot follow the system's network links: opening a netlink socket failed: \
             Permission denied (os error 13)\n"
        );
    });
}

#[test]
fn a_signal_ends_it() {
    in_new_namespace("net::a_signal_ends_it", || {
        let mut net = Net::start();
        net.wait_for_link("none");
        let pid = net.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status();
        assert!(status.unwrap().success());
        net.expect_end();
    });
}
