//! What the kernel says about this process.

use std::fs;
use std::path::Path;

/// How many bytes this process has caused to be written to disks.
pub fn written_bytes() -> u64 {
    field("/proc/self/io", "write_bytes:")
}

/// How many bytes of memory this process holds.
pub fn resident_bytes() -> u64 {
    field("/proc/self/status", "VmRSS:") * 1024
}

/// How many bytes of memory a process holds, shared pages counted in parts.
pub fn proportional_bytes(process: u32) -> u64 {
    field(&format!("/proc/{process}/smaps_rollup"), "Pss:") * 1024
}

/// How often the threads of this process have gone to sleep or waited, all together.
pub fn waits() -> u64 {
    threads("/proc/self/task", "voluntary_ctxt_switches:")
}

/// How long the threads of this process have used the processor, all together, in nanoseconds.
pub fn processor_nanos() -> u64 {
    let entries = fs::read_dir("/proc/self/task").unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path().join("schedstat");
            let text = fs::read_to_string(path).unwrap();
            let (nanos, _) = text.split_once(' ').unwrap();
            nanos.parse::<u64>().unwrap()
        })
        .sum()
}

/// How many bytes the files in a folder have.
pub fn folder_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // A file may go while they are counted.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        bytes += if metadata.is_dir() {
            folder_bytes(&entry.path())
        } else {
            metadata.len()
        };
    }
    bytes
}

fn threads(folder: &str, name: &str) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| field(entry.unwrap().path().join("status").to_str().unwrap(), name))
        .sum()
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
