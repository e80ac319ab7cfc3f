//! Processes of which none is left when the run ends.

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The process groups that run. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct ProcessGroups(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    groups: BTreeSet<i32>,
    stopped: bool,
}

/// A process with those that it starts. They are killed when this is dropped.
pub(crate) struct ProcessGroup {
    pub(crate) child: Child,
    group: i32,
    groups: ProcessGroups,
}

impl ProcessGroups {
    /// Start a process in a group of its own.
    pub(crate) fn start(&self, command: &mut Command) -> Result<ProcessGroup, String> {
        let mut running = self.lock();
        if running.stopped {
            return Err("the run was stopped".to_owned());
        }
        let child = command.process_group(0).spawn().map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
        running.groups.insert(group);
        Ok(ProcessGroup {
            child,
            group,
            groups: self.clone(),
        })
    }

    /// End what runs, and start nothing any more.
    pub(crate) fn stop(&self) {
        let mut running = self.lock();
        running.stopped = true;
        for group in &running.groups {
            kill(*group);
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessGroup {
    pub(crate) fn kill(&self) {
        kill(self.group);
    }

    /// Kill what is left, and say how the process ended.
    pub(crate) fn end(&mut self) -> Option<ExitStatus> {
        self.kill();
        self.child.wait().ok()
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Until the process has been waited for, no other one can have its id.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.end();
        }
        self.groups.lock().groups.remove(&self.group);
    }
}

fn kill(group: i32) {
    if let Some(group) = Pid::from_raw(group) {
        // It may be gone already.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// How a process ended that said nothing about a result.
pub(crate) fn ending(status: Option<&ExitStatus>) -> String {
    match status {
        Some(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!("the browser was ended by signal {signal}"),
            (None, Some(code)) => format!("the browser ended with status {code} and no result"),
            (None, None) => "the browser ended without a result".to_owned(),
        },
        None => "the browser ended".to_owned(),
    }
}
