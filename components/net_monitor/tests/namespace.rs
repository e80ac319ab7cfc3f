//! Tests that change network interfaces run in a network namespace of their own, in a second
//! process of this test binary: the system's own network is left alone.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "NET_MONITOR_TEST_IN_NAMESPACE";

/// Set in the process that is another machine.
const MACHINE: &str = "NET_MONITOR_TEST_MACHINE";

/// Runs `test`, which is the test named `name`, in a new network namespace.
///
/// Where the system does not permit it, the test is skipped, and says so on standard error.
pub(crate) fn in_new_namespace(name: &str, test: impl FnOnce()) {
    if env::vars_os().any(|(variable, _)| variable == INSIDE) {
        return test();
    }
    if let Err(reason) = unshare()
        .arg("true")
        .output()
        .map_err(|error| error.to_string())
        .and_then(forbidden)
    {
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

/// `unshare` of util-linux, which runs what follows in a new network namespace.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]);
    command
}

fn forbidden(output: Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// Another machine: a process in a network namespace of its own, with the cable's end `far` and the
/// address 10.9.0.2. It ends when it is dropped.
pub(crate) struct Machine {
    process: Child,
    commands: ChildStdin,
}

/// The port on which a [`Machine`] listens.
pub(crate) const PORT: u16 = 8000;

impl Machine {
    /// Starts one and plugs `far` into it.
    pub(crate) fn start() -> Self {
        let mut process = Command::new("unshare")
            .arg("--net")
            .arg("--")
            .arg(env::current_exe().unwrap())
            .args(["--exact", "namespace::plays_another_machine_when_told_to"])
            .arg("--nocapture")
            .env(MACHINE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let mut machine = Self { process, commands };
        machine.wait_until("moved in");
        ip(&format!("link set far netns {}", machine.process.id()));
        machine.tell("connect");
        machine.wait_until("connected");
        machine
    }

    /// It listens from now on.
    pub(crate) fn listen(&mut self) {
        self.tell("listen");
        self.wait_until("listening");
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// Reads byte by byte, so that nothing is lost between two calls.
    fn wait_until(&mut self, said: &str) {
        let output = self.process.stdout.as_mut().unwrap();
        let mut line = String::new();
        while !line.ends_with(said) {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            line.push(char::from(byte[0]));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test of its own: the process of a [`Machine`].
#[test]
fn plays_another_machine_when_told_to() {
    if !env::vars_os().any(|(variable, _)| variable == MACHINE) {
        return;
    }
    let say = |line: &str| writeln!(io::stdout(), "{line}").unwrap();
    let mut listeners = Vec::new();
    say("moved in");
    for command in io::stdin().lines() {
        if command.unwrap() == "connect" {
            ip("addr add 10.9.0.2/24 dev far");
            ip("link set far up");
            say("connected");
        } else {
            listeners.push(TcpListener::bind(("10.9.0.2", PORT)).unwrap());
            say("listening");
        }
    }
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
