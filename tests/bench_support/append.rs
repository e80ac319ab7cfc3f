use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use crate::latencies::Latencies;
use crate::race::{Contestant, record};

/// The limit that the disk sets: append records to one file and have the disk write them down
/// (`fdatasync`), as many together as may be on their way. No thread, no index, no checksum.
#[derive(Debug)]
pub struct Append {
    name: &'static str,
    file: File,
    /// Whether each record is written by a call of its own.
    one_by_one: bool,
    position: u64,
    /// Where to begin again at the start; none for a file that grows.
    end: Option<u64>,
    number: u64,
}

/// How long the preallocated file is.
const PREALLOCATED_BYTES: usize = 8 << 20;

impl Append {
    /// In a file that grows.
    pub fn growing(folder: &Path) -> Self {
        Self {
            name: "append + fdatasync",
            file: File::create_new(folder.join("append")).unwrap(),
            one_by_one: false,
            position: 0,
            end: None,
            number: 0,
        }
    }

    /// In a file that grows, with one write for each record.
    pub fn one_by_one(folder: &Path) -> Self {
        Self {
            name: "append each + fdatasync",
            file: File::create_new(folder.join("append-each")).unwrap(),
            one_by_one: true,
            position: 0,
            end: None,
            number: 0,
        }
    }

    /// In a file whose blocks are there and written already, so that a write changes no metadata.
    pub fn preallocated(folder: &Path) -> Self {
        let file = File::create_new(folder.join("append-preallocated")).unwrap();
        file.write_all_at(&vec![0; PREALLOCATED_BYTES], 0).unwrap();
        file.sync_all().unwrap();
        Self {
            name: "append + fdatasync, preallocated",
            file,
            one_by_one: false,
            position: 0,
            end: Some(PREALLOCATED_BYTES as u64),
            number: 0,
        }
    }
}

impl Contestant for Append {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies) {
        let mut bytes = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            bytes.clear();
            for _ in 0..in_flight {
                self.number += 1;
                let (key, value) = record(self.number);
                bytes.extend([key, value].concat());
                if self.one_by_one {
                    self.write(&bytes);
                    bytes.clear();
                }
            }
            self.write(&bytes);
            self.file.sync_data().unwrap();
            latencies.record_many(start.elapsed(), in_flight as u64);
        }
    }
}

impl Append {
    fn write(&mut self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        if self.end.is_some_and(|end| self.position + length > end) {
            self.position = 0;
        }
        self.file.write_all_at(bytes, self.position).unwrap();
        self.position += length;
    }
}
