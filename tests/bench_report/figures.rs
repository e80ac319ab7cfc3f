//! What was measured, and finding it.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use bench_support::Figure;

pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    pub(crate) fn read(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "jsonl")
            {
                files.push(path);
            }
        }
        files.sort();
        let mut figures = Vec::new();
        for file in files {
            for line in fs::read_to_string(file)?.lines() {
                figures.push(serde_json::from_str(line)?);
            }
        }
        Ok(Self(figures))
    }

    pub(crate) fn all(&self) -> &[Figure] {
        &self.0
    }

    pub(crate) fn find(&self, row: &str, who: &str, at: u64, metric: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| {
            figure.row == row && figure.who == who && figure.at == at && figure.metric == metric
        })
    }

    /// With how many something was measured, fewest first.
    pub(crate) fn measured_at(&self, row: &str, who: &str, metric: &str) -> Vec<u64> {
        let figures = self
            .0
            .iter()
            .filter(|figure| figure.row == row && figure.who == who && figure.metric == metric);
        let at: BTreeSet<u64> = figures.map(|figure| figure.at).collect();
        at.into_iter().collect()
    }

    /// Who did something, in the order in which they were measured.
    pub(crate) fn contestants(&self, row: &str, metric: &str) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for figure in &self.0 {
            let who = figure.who.as_str();
            if figure.row == row && figure.metric == metric && !names.contains(&who) {
                names.push(who);
            }
        }
        names
    }
}
