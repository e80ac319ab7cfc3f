//! What happened, in words, for whoever looks into a run that failed.

use std::collections::VecDeque;

/// How many lines are kept: the last ones tell what led to the failure.
const LINES: usize = 300;

/// A bounded account of one run. Off by default, because most runs do not fail, and one that does
/// can be had again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    enabled: bool,
}

impl Trace {
    pub(crate) fn new(enabled: bool) -> Self {
        Self {
            lines: VecDeque::new(),
            enabled,
        }
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn push(&mut self, line: String) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
