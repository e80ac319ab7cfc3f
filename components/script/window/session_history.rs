//! What a window and its frames have shown, and the way back to it.
//!
//! Each browsing context has entries of its own; each entry has the step at which it was made. A
//! window is at one step, and its frames with it: each shows its last entry up to that step.
//! Documents are not kept: who comes back to one has it fetched anew. The entries of its frames go
//! with a document.
//!
//! <https://html.spec.whatwg.org/multipage/document-sequences.html#session-history>

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use url::Url;

use super::browsing_context::BrowsingContext;
use super::navigation::{Initiator, Navigation};
use crate::bindings::generated::ScrollRestoration;
use crate::bindings::report::report_exception;
use crate::bindings::{Error, Realm, RealmHandle, Value};
use crate::dom::hash_change_event::HashChangeEvent;
use crate::dom::pop_state_event::PopStateEvent;
use crate::dom::window::Window;
use crate::event_loop::EventLoop;

/// How many steps back there are at most: as many as in browsers. What is older is forgotten.
const MAX_STEPS: usize = 50;

/// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#session-history-entry>
#[derive(Clone)]
pub(super) struct Entry {
    step: u32,
    /// Entries with the same number are states and fragments of the same document.
    document: u64,
    /// How to get its document.
    navigation: Navigation,
    /// What a script keeps with it, serialized.
    state: Option<Rc<[u8]>>,
    scroll_restoration: ScrollRestoration,
}

impl Entry {
    /// Who has asked for its document.
    pub(super) fn into_initiator(self) -> Option<Initiator> {
        self.navigation.initiator
    }
}

/// The entries of one browsing context.
#[derive(Default)]
pub(super) struct SessionHistory {
    entries: RefCell<Vec<Entry>>,
    /// The index of the entry that is shown.
    current: Cell<usize>,
    last_document: Cell<u64>,
    /// Where a window is.
    step: Cell<u32>,
    /// By how many steps scripts want to move on, one after the other.
    deltas: RefCell<VecDeque<i32>>,
}

impl SessionHistory {
    /// By how many steps to move on next.
    pub(super) fn next_delta(&self) -> Option<i32> {
        self.deltas.borrow_mut().pop_front()
    }

    fn new_document(&self) -> u64 {
        self.last_document.set(self.last_document.get() + 1);
        self.last_document.get()
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries.borrow_mut();
        entries.push(entry);
        self.current.set(entries.len() - 1);
    }

    fn change_current(&self, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(self.current.get()) {
            change(entry);
        }
    }

    pub(super) fn current(&self) -> Option<Entry> {
        self.entries.borrow().get(self.current.get()).cloned()
    }

    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#getting-the-target-history-entry>
    fn index_at(&self, step: u32) -> Option<usize> {
        let entries = self.entries.borrow();
        entries.iter().rposition(|entry| entry.step <= step)
    }

    /// Nobody can go back to before this step.
    fn forget_before(&self, step: u32) {
        let shown = self.index_at(step).unwrap_or_default();
        let mut entries = self.entries.borrow_mut();
        let forgotten: Vec<Entry> = entries.drain(..shown).collect();
        if let Some(first) = entries.first_mut() {
            first.step = first.step.max(step);
        }
        drop(entries);
        drop(forgotten);
        self.current.set(self.current.get().saturating_sub(shown));
    }

    fn forget_after(&self, step: u32) {
        let mut entries = self.entries.borrow_mut();
        entries.retain(|entry| entry.step <= step);
        let last = entries.len().saturating_sub(1);
        self.current.set(self.current.get().min(last));
    }
}

impl BrowsingContext {
    /// It and the frames in it.
    pub(super) fn with_frames(self: &Rc<Self>) -> Vec<Rc<Self>> {
        let mut contexts = vec![Rc::clone(self)];
        let mut next = 0;
        while let Some(context) = contexts.get(next) {
            if let Some(document) = context.document() {
                contexts.extend(document.page.frames_in_order());
            }
            next += 1;
        }
        contexts
    }

    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#getting-all-used-history-steps>
    fn used_steps(self: &Rc<Self>) -> BTreeSet<u32> {
        let contexts = self.top().with_frames();
        let steps = contexts.iter().flat_map(|context| {
            let entries = context.history.entries.borrow();
            entries.iter().map(|entry| entry.step).collect::<Vec<_>>()
        });
        steps.collect()
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-history-length>
    pub(crate) fn history_length(self: &Rc<Self>) -> u32 {
        u32::try_from(self.used_steps().len().max(1)).unwrap_or(u32::MAX)
    }

    /// What a script keeps with the entry that is shown.
    pub(crate) fn history_state(&self) -> Option<Rc<[u8]>> {
        self.history.current()?.state
    }

    /// <https://html.spec.whatwg.org/multipage/nav-history-apis.html#dom-history-scrollrestoration>
    pub(crate) fn scroll_restoration(&self) -> ScrollRestoration {
        let entry = self.history.current();
        entry.map_or(ScrollRestoration::Auto, |entry| entry.scroll_restoration)
    }

    pub(crate) fn set_scroll_restoration(self: &Rc<Self>, value: ScrollRestoration) {
        self.make_first_entry();
        self.history
            .change_current(|entry| entry.scroll_restoration = value);
    }

    /// The document that is shown before anything was fetched has an entry too.
    fn make_first_entry(self: &Rc<Self>) {
        if !self.history.entries.borrow().is_empty() {
            return;
        }
        let url = self
            .document()
            .map_or_else(|| self.last_url(), |document| document.page.url());
        self.history.push(Entry {
            step: self.top().history.step.get(),
            document: self.history.new_document(),
            navigation: Navigation::to(url),
            state: None,
            scroll_restoration: ScrollRestoration::Auto,
        });
    }

    /// An entry after the present one, in place of all that came after it.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#finalize-a-cross-document-navigation>
    fn push_entry(self: &Rc<Self>, entry: Entry) {
        let top = self.top();
        let step = top.history.step.get();
        for context in top.with_frames() {
            context.history.forget_after(step);
        }
        top.history.step.set(step + 1);
        self.history.push(Entry {
            step: step + 1,
            ..entry
        });
        let steps: Vec<u32> = self.used_steps().into_iter().collect();
        if let Some(first) = steps
            .len()
            .checked_sub(MAX_STEPS)
            .filter(|extra| *extra > 0)
        {
            for context in top.with_frames() {
                context.history.forget_before(steps[first]);
            }
        }
    }

    /// Another document is shown from now on.
    pub(super) fn history_of_new_document(
        self: &Rc<Self>,
        navigation: &Navigation,
        shown: &Url,
        replaces: bool,
    ) {
        self.make_first_entry();
        if let Some(step) = navigation.history_step {
            if let Some(index) = self.history.index_at(step) {
                self.history.current.set(index);
            }
            self.top().history.step.set(step);
            return;
        }
        if navigation.reload {
            return;
        }
        let entry = Entry {
            step: 0,
            document: self.history.new_document(),
            navigation: Navigation {
                url: shown.clone(),
                replaces: false,
                answer: None,
                ..navigation.clone()
            },
            state: None,
            scroll_restoration: ScrollRestoration::Auto,
        };
        if replaces {
            self.history.change_current(|old| {
                *old = Entry {
                    step: old.step,
                    ..entry
                };
            });
        } else {
            self.push_entry(entry);
        }
    }

    /// The document that is shown has another state or fragment.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#url-and-history-update-steps>
    pub(crate) fn update_history(
        self: &Rc<Self>,
        url: &Url,
        state: Option<Rc<[u8]>>,
        replaces: bool,
    ) {
        self.make_first_entry();
        let is_initial = self
            .document()
            .is_some_and(|document| document.is_initial());
        if replaces || is_initial {
            self.history.change_current(|entry| {
                entry.navigation.url = url.clone();
                entry.state = state;
            });
        } else if let Some(mut entry) = self.history.current() {
            entry.navigation.url = url.clone();
            entry.state = state;
            self.push_entry(entry);
        }
    }

    /// Move on by a number of steps, as soon as the task has ended.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#traverse-the-history-by-a-delta>
    pub(crate) fn traverse_by(self: &Rc<Self>, delta: i32) {
        let top = self.top();
        top.history.deltas.borrow_mut().push_back(delta);
        top.wake();
    }

    /// Move on, as a window.
    ///
    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#apply-the-history-step>
    pub(super) fn traverse(self: &Rc<Self>, delta: i32) {
        let steps: Vec<u32> = self.used_steps().into_iter().collect();
        let own = self.history.step.get();
        let passed = steps.partition_point(|step| *step <= own);
        let target = isize::try_from(delta)
            .ok()
            .and_then(|delta| passed.checked_sub(1)?.checked_add_signed(delta))
            .and_then(|index| steps.get(index).copied());
        // Nothing happens when there are not as many.
        if let Some(target) = target
            && !self.apply_step(target)
        {
            self.history.step.set(target);
        }
    }

    /// Returns whether a document has to be fetched for it.
    fn apply_step(self: &Rc<Self>, step: u32) -> bool {
        let present = self.history.current();
        let index = self.history.index_at(step);
        let entry = index.and_then(|index| self.history.entries.borrow().get(index).cloned());
        if let Some((present, (index, entry))) = present.zip(index.zip(entry))
            && index != self.history.current.get()
        {
            if entry.document != present.document {
                self.navigate(Navigation {
                    history_step: Some(step),
                    ..entry.navigation
                });
                // Its frames go with the document.
                return true;
            }
            self.history.current.set(index);
            self.show_entry(&entry);
        }
        let frames = self
            .document()
            .map(|document| document.page.frames_in_order())
            .unwrap_or_default();
        let mut fetches = false;
        for frame in frames {
            fetches |= frame.apply_step(step);
        }
        fetches
    }

    /// <https://html.spec.whatwg.org/multipage/browsing-the-web.html#update-document-for-history-step-application>
    fn show_entry(&self, entry: &Entry) {
        let Some(document) = self.document() else {
            return;
        };
        let old = document.page.url();
        let new = entry.navigation.url.clone();
        document.page.set_url(new.clone());
        entry_changed(&document.realm, old, new);
    }
}

/// The document of a realm is at another entry: its scripts are told.
pub(super) fn entry_changed(realm: &Realm, old: Url, new: Url) {
    let told = restore_state(realm).and_then(|state| PopStateEvent::fire(realm, state));
    if let Err(error) = told {
        report_exception(realm, error);
    }
    if old.fragment() == new.fragment() {
        return;
    }
    let Some(event_loop) = realm.service::<EventLoop>() else {
        return;
    };
    let kept = (realm.root(), old, new);
    let fire = event_loop.answer(kept, |(realm, old, new): (RealmHandle, Url, Url), ()| {
        if let Err(error) = HashChangeEvent::fire(&realm, &old, &new) {
            report_exception(&realm, error);
        }
    });
    fire.call(());
}

fn restore_state(realm: &Realm) -> Result<Value, Error> {
    let Some(window) = realm.global::<Window>() else {
        return Ok(Value::null());
    };
    window.history_object(realm)?.restore_state(realm)
}
