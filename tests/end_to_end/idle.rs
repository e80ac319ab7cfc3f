//! An engine with nothing to do does nothing.

use std::fs;
use std::thread;

use syncshell::ShellEvent;
use tempfile::tempdir;
use tests::{Shell, ShellOptions, Site};

use crate::namespace::{in_new_namespace, ip};
use crate::shell;

/// The store's pool of threads looks for work once a second, and has no setting for it.
const POOL_OF_THE_STORE: &str = "sled-io-";

/// A wait without a time limit ends only when something happens: what no thread does can wake none.
#[test]
fn an_idle_engine_waits_without_a_time_limit_whatever_the_network_did() {
    in_new_namespace(
        "idle::an_idle_engine_waits_without_a_time_limit_whatever_the_network_did",
        || {
            ip("link add near type veth peer name far");
            ip("link set far up");
            ip("link set near up");
            ip("address add 10.20.0.1/24 dev near");
            ip("route add default via 10.20.0.2 dev near");
            let folder = tempdir().unwrap();
            let options = || ShellOptions::profile(&folder.path().join("profile"));
            let site = Site::serve("kill");
            let mut first = shell(options().argument(&site.url("/")));
            first.wait_for_console("ready");
            first.say("eval registerTag('done')");
            first.wait_for_sync("done", "completed");
            first.quit();

            let mut idle = shell(options());
            wait_for_network(&mut idle, true);
            for (change, online) in [("down", false), ("up", true)] {
                ip(&format!("link set far {change}"));
                wait_for_network(&mut idle, online);
            }
            while !limited_waits(idle.id()).is_empty() {
                thread::yield_now();
            }
            idle.quit();
        },
    );
}

fn wait_for_network(shell: &mut Shell, expected: bool) {
    shell.wait_for(
        "the network",
        |event| matches!(event, ShellEvent::Network { online, .. } if *online == expected),
    );
}

/// The threads of a process that run now or will within some time, even if nothing happens.
fn limited_waits(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads
        .filter_map(|thread| {
            let thread = thread.unwrap().path();
            // One that has ended meanwhile wakes nobody.
            let name = fs::read_to_string(thread.join("comm")).ok()?;
            let call = fs::read_to_string(thread.join("syscall")).ok()?;
            let waits = name.starts_with(POOL_OF_THE_STORE) || is_unlimited(&call);
            (!waits).then(|| format!("{} {call}", name.trim()))
        })
        .collect()
}

/// Whether this is a system call that waits until something happens.
fn is_unlimited(call: &str) -> bool {
    // While the thread runs there is a word in place of numbers.
    let call: Vec<u64> = call
        .split_whitespace()
        .map_while(|word| match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => word.parse().ok(),
        })
        .collect();
    let argument = |number: usize| call.get(number + 1).copied();
    let low_half = u64::from(u32::MAX);
    let is_minus_one = |number| argument(number).map(|value| value & low_half) == Some(low_half);
    match call.first() {
        // read, accept and recvfrom
        Some(0 | 43 | 45) => true,
        // poll and epoll_wait have a number of milliseconds.
        Some(7) => is_minus_one(2),
        Some(232) => is_minus_one(3),
        // futex and ppoll have the address of a time.
        Some(202) => argument(3) == Some(0),
        Some(271) => argument(2) == Some(0),
        _ => false,
    }
}
