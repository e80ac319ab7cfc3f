//! What is made of what an earlier run left behind.

use base::time::Timestamp;
use sync_traits::SyncKind;

use crate::manager::SyncManager;
use crate::periodic::ago;
use crate::record::{RecordState, SyncKey, SyncRecord};
use crate::schedule::Due;
use crate::transition::{End, Ended};

impl SyncManager {
    /// Take over a record that an earlier run left behind.
    pub(crate) fn recover(&mut self, key: SyncKey, mut record: SyncRecord, now: Timestamp) {
        self.next_sequence = self.next_sequence.max(record.sequence.saturating_add(1));
        // A time that lies ahead was written before somebody set the clock back.
        record.registered = record.registered.min(now.wall);
        let mut ended = None;
        let mut due = None;
        match record.state {
            RecordState::Pending => {}
            RecordState::Waiting { due: wall } => {
                // When the clock was set back while nothing ran, no back-off gets longer than it
                // can be.
                let longest = match key.kind {
                    SyncKind::OneShot => self.policy.retry_delay(self.policy.max_attempts),
                    SyncKind::Periodic => {
                        let policy = &self.policy.periodic;
                        policy.retry_delay(policy.max_attempts)
                    }
                };
                let (_, longest) = self.policy.jitter_range(longest);
                let left = wall.saturating_since(now.wall).min(longest);
                due = Some(now.monotonic.saturating_add(left));
                let wall = wall.min(now.wall.saturating_add(left));
                record.state = RecordState::Waiting { due: wall };
            }
            // As if it had not been dispatched.
            RecordState::Firing { .. } if !self.policy.count_interrupted_attempts => {
                ended = Some(Ended::not_delivered(now, 0));
            }
            RecordState::Firing { started, .. } => {
                // The attempt ended when the engine did, which is known no better.
                let at = Timestamp {
                    wall: started.min(now.wall),
                    monotonic: now.monotonic,
                };
                ended = Some(Ended {
                    how: End::Interrupted,
                    at,
                    retry_delay: self.draw_retry_delay(key.kind, record.attempts),
                    early_asked: 0,
                });
            }
        }
        if let Some(periodic) = &mut record.periodic {
            periodic.anchor = ago(periodic.anchor.wall, now);
        }
        let kind = key.kind;
        let storage_key = key.storage_key.clone();
        let id = self.entry_of(key);
        if let Some(ended) = ended.as_ref().filter(|_| kind == SyncKind::Periodic) {
            self.periodic.note_interrupted(&storage_key, ended.at);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            // The last attempt may have counted, but then an earlier one did not.
            entry.wants_network = record.uncounted_attempts > 0;
            // When it ended is not stored, but that was before now.
            let not_before = now.saturating_add(self.policy.min_retry_delay);
            entry.not_before = (record.attempts > 0).then_some(Due::of(not_before));
            entry.record = Some(record);
            entry.due = due;
            entry.ended = ended;
        }
        self.advance(id, now);
    }
}
