//! Timers, tasks and promises of Rust.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use script::bindings::Promise;
use script::event_loop::EventLoop;

use crate::{Page, StillClock};

struct Timed {
    page: Page,
    event_loop: Rc<EventLoop>,
    clock: Arc<StillClock>,
}

impl Timed {
    fn new() -> Self {
        let page = Page::new();
        let clock = Arc::new(StillClock::default());
        let event_loop = EventLoop::new(clock.clone());
        page.realm.add_service(Rc::clone(&event_loop));
        Self {
            page,
            event_loop,
            clock,
        }
    }

    fn pass(&self, milliseconds: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.saturating_add(Duration::from_millis(milliseconds));
        drop(now);
        while self.event_loop.run_pending() {}
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        self.event_loop.shut_down();
    }
}

#[test]
fn timers_fire_by_due_time_with_arguments_and_microtasks_between() {
    let timed = Timed::new();
    timed.page.run(
        "self.log = [];
         setTimeout(() => log.push('late'), 20);
         setTimeout(x => { log.push(x); queueMicrotask(() => log.push('microtask')); }, 10, 'early');
         setTimeout('log.push(\"text\")', 10);
         const never = setTimeout(() => log.push('never'), 5); clearTimeout(never);",
    );
    timed.pass(9);
    assert_eq!(timed.page.run("log.join()"), "");
    timed.pass(1);
    assert_eq!(timed.page.run("log.join()"), "early,microtask,text");
    timed.pass(10);
    assert_eq!(timed.page.run("log.at(-1)"), "late");
}

#[test]
fn an_interval_repeats_until_it_is_cleared_from_within() {
    let timed = Timed::new();
    timed
        .page
        .run("let n = 0; const id = setInterval(() => { if (++n == 3) clearInterval(id); }, 5);");
    for _ in 0..6 {
        timed.pass(5);
    }
    assert_eq!(timed.page.run("n"), "3");
    assert!(timed.event_loop.next_timer().is_none());
}

#[test]
fn deeply_nested_timers_are_slowed_down() {
    let timed = Timed::new();
    timed
        .page
        .run("let n = 0; (function again() { n++; setTimeout(again); })();");
    timed.pass(0);
    assert_eq!(timed.page.run("n"), "6");
    timed.pass(4);
    assert_eq!(timed.page.run("n"), "7");
}

#[test]
fn another_thread_settles_a_promise_through_its_ticket() {
    let timed = Timed::new();
    let promise = Promise::new(&timed.page.realm).ok().unwrap();
    let global = timed.page.realm.global_value();
    global
        .set(&timed.page.realm, "promise", promise.value())
        .ok()
        .unwrap();
    timed
        .page
        .run("promise.then(value => { self.result = value; });");
    let ticket = timed.event_loop.keep(promise);
    let sender = timed.event_loop.sender();
    let thread = std::thread::spawn(move || {
        sender.queue(move |event_loop| {
            if let Some(promise) = ticket.take(event_loop) {
                promise.resolve("done");
            }
        });
    });
    thread.join().unwrap();
    timed.pass(0);
    assert_eq!(timed.page.run("result"), "done");
}

#[test]
fn base64_has_the_errors_of_the_platform() {
    let page = Page::new();
    assert_eq!(page.run("atob(btoa('\\xff\\0a')) === '\\xff\\0a'"), "true");
    assert!(
        page.run("btoa('\\u0100')")
            .starts_with("threw InvalidCharacterError")
    );
    assert!(
        page.run("atob('!')")
            .starts_with("threw InvalidCharacterError")
    );
}
