use std::thread::JoinHandle;
use std::time::Instant;

use base::channel::{Receiver, Sender, unbounded};

use crate::latencies::Latencies;
use crate::race::Contestant;

/// The limit of any component on a thread of its own: a message there and a message back, and
/// nothing done between.
#[derive(Debug)]
pub struct Echo {
    requests: Option<Sender<Instant>>,
    answers: Receiver<Instant>,
    thread: Option<JoinHandle<()>>,
}

impl Default for Echo {
    fn default() -> Self {
        let (requests, received) = unbounded();
        let (sender, answers) = unbounded();
        let thread = std::thread::spawn(move || {
            while let Ok(start) = received.recv() {
                sender.send(start).unwrap();
            }
        });
        Self {
            requests: Some(requests),
            answers,
            thread: Some(thread),
        }
    }
}

impl Contestant for Echo {
    fn name(&self) -> &'static str {
        "bare channel round trip"
    }

    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies) {
        let requests = self.requests.as_ref().unwrap();
        let send = || requests.send(Instant::now()).unwrap();
        keep_in_flight(in_flight, end, latencies, send, || {
            self.answers.recv().unwrap()
        });
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Send as many as may be on their way, then one for each answer until it is time to end; wait for
/// the last answer. `receive` gives when the request that is answered was sent.
pub fn keep_in_flight(
    in_flight: usize,
    end: Instant,
    latencies: &mut Latencies,
    mut send: impl FnMut(),
    mut receive: impl FnMut() -> Instant,
) {
    for _ in 0..in_flight {
        send();
    }
    let mut waiting = in_flight;
    while waiting > 0 {
        let start = receive();
        latencies.record(start.elapsed());
        if Instant::now() < end {
            send();
        } else {
            waiting -= 1;
        }
    }
}
