use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// One measured value. What belongs together has the same `row`; what is compared with one another
/// has the same `row`, `at` and `metric`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub row: String,
    /// Who did it: one of ours, a peer, or a limit.
    pub who: String,
    /// With how many: registrations, tags, batches in flight.
    pub at: u64,
    /// Which property, such as `p50`.
    pub metric: String,
    /// Its unit: `ns`, `bytes`, `/s` or `count`.
    pub unit: String,
    /// The value.
    pub value: f64,
}

/// One section of a benchmark program.
#[derive(Debug)]
pub struct Bench {
    name: &'static str,
    quick: bool,
    temporary: PathBuf,
    results: File,
}

/// A part of a benchmark program that can be run alone.
pub type Section = (&'static str, fn(&mut Bench));

/// Run the sections that the command line names, all if it names none. `temporary` is what Cargo
/// has in `CARGO_TARGET_TMPDIR`.
pub fn run_sections(temporary: &str, sections: &[Section]) {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            run(&mut Bench::start(name, temporary));
        }
    }
}

/// Where the figures are kept, given the folder that Cargo gives to benchmarks
/// (`CARGO_TARGET_TMPDIR`).
pub fn results_folder(temporary: impl AsRef<Path>) -> PathBuf {
    temporary.as_ref().with_file_name("benchmarks")
}

impl Bench {
    /// Start anew: the figures of before are gone.
    fn start(name: &'static str, temporary: &str) -> Self {
        let folder = results_folder(temporary);
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(temporary).unwrap();
        let results = File::create(folder.join(format!("{name}.jsonl"))).unwrap();
        let quick = std::env::args().any(|argument| argument == "--quick");
        let _ = fs::remove_dir_all(Self::criterion_folder(Path::new(temporary), name));
        Self {
            name,
            quick,
            temporary: temporary.into(),
            results,
        }
    }

    /// Whether only to show that everything still runs.
    pub fn quick(&self) -> bool {
        self.quick
    }

    /// `full`, or `quick` when only to show that everything still runs.
    pub fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A new folder on the disk that is measured.
    pub fn scratch(&self) -> TempDir {
        TempDir::new_in(&self.temporary).unwrap()
    }

    /// Keep a figure, and tell it.
    pub fn figure(&mut self, figure: &Figure) {
        let line = serde_json::to_string(figure).unwrap();
        writeln!(self.results, "{line}").unwrap();
        let Figure {
            row,
            who,
            at,
            metric,
            unit,
            value,
        } = figure;
        tell(&format!("{row}, {who}, {at}: {metric} {value:.0} {unit}"));
    }

    /// Keep a time in nanoseconds.
    pub fn time(&mut self, row: &str, who: &str, at: u64, nanos: f64) {
        self.value(row, who, at, ("median", "ns"), nanos);
    }

    /// Keep a value of a metric in its unit.
    pub fn value(
        &mut self,
        row: &str,
        who: &str,
        at: u64,
        (metric, unit): (&str, &str),
        value: f64,
    ) {
        self.figure(&Figure {
            row: row.to_owned(),
            who: who.to_owned(),
            at,
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            value,
        });
    }

    /// Measure with Criterion, and keep what it measures: its groups are rows, its functions are
    /// who did it, its parameters are how many.
    pub fn criterion(&mut self, measure: impl FnOnce(&mut Criterion)) {
        let folder = Self::criterion_folder(&self.temporary, self.name);
        let mut criterion = Criterion::default()
            .output_directory(&folder)
            .sample_size(self.choose(30, 10))
            .warm_up_time(Duration::from_millis(self.choose(500, 20)))
            .measurement_time(Duration::from_millis(self.choose(2_000, 50)));
        measure(&mut criterion);
        let mut found = Vec::new();
        find_estimates(&folder, &mut found);
        found.sort();
        for folder in found {
            let read = |name: &str| -> serde_json::Value {
                serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
            };
            let (benchmark, estimates) = (read("benchmark.json"), read("estimates.json"));
            let text = |name: &str| benchmark[name].as_str().unwrap_or_default().to_owned();
            let at = text("value_str").parse().unwrap_or(1);
            let value = estimates["median"]["point_estimate"].as_f64().unwrap();
            self.time(&text("group_id"), &text("function_id"), at, value);
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    fn criterion_folder(temporary: &Path, name: &str) -> PathBuf {
        results_folder(temporary).join(format!("criterion-{name}"))
    }
}

fn find_estimates(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.ends_with("new") {
            found.push(path);
        } else if path.is_dir() {
            find_estimates(&path, found);
        }
    }
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a benchmark tells what it measures")]
fn tell(line: &str) {
    println!("{line}");
}
