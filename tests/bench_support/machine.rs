//! What matters about the machine. Neither its name nor any path is told.

use std::fs;
use std::path::Path;

/// Each fact with what it is.
pub fn facts(folder: &Path) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("processor", format!("{}, {cores} cores", processor())),
        ("memory", memory()),
        ("kernel", format!("Linux {}", kernel())),
        ("file system", file_system(folder)),
    ]
}

fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn processor() -> String {
    line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn memory() -> String {
    let kibibytes = line_of("/proc/meminfo", "MemTotal")
        .and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    format!("{} GiB", kibibytes.unwrap_or(0).div_ceil(1 << 20))
}

/// The version alone; what a distribution adds to it may tell more than it should.
fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = release.trim().split('-').next().unwrap_or_default();
    version.to_owned()
}

/// The type of the file system on which a folder is.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    mounts
        .filter(|(mount, _)| folder.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}
