use std::time::Instant;

use base::channel::unbounded;

use crate::echo::keep_in_flight;
use crate::latencies::Latencies;
use crate::race::{Contestant, record};

/// Writes records and returns when they are durable.
pub trait Recorder: Send {
    /// What it is called in the report.
    fn name(&self) -> &'static str;

    /// Make these records durable, in one transaction.
    fn write(&mut self, records: &[(Vec<u8>, Vec<u8>)]);
}

/// A [`Recorder`] that is used as its users do: a single record is written where it comes up; when
/// more may be on their way, one thread writes all that wait in one transaction.
#[derive(Debug)]
pub struct Grouping<R> {
    recorder: R,
    number: u64,
}

impl<R: Recorder> Grouping<R> {
    /// A contestant that writes with this.
    pub fn new(recorder: R) -> Self {
        Self {
            recorder,
            number: 0,
        }
    }

    fn next(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.number += 1;
        record(self.number)
    }
}

impl<R: Recorder> Contestant for Grouping<R> {
    fn name(&self) -> &'static str {
        self.recorder.name()
    }

    fn run(&mut self, in_flight: usize, end: Instant, latencies: &mut Latencies) {
        if in_flight == 1 {
            while Instant::now() < end {
                let start = Instant::now();
                let record = self.next();
                self.recorder.write(&[record]);
                latencies.record(start.elapsed());
            }
            return;
        }
        let mut number = self.number;
        let recorder = &mut self.recorder;
        let (requests, waiting) = unbounded::<(Instant, (Vec<u8>, Vec<u8>))>();
        let (answers, answered) = unbounded();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while let Ok(first) = waiting.recv() {
                    let rest = std::iter::from_fn(|| waiting.try_recv());
                    let (starts, records): (Vec<_>, Vec<_>) =
                        std::iter::once(first).chain(rest).unzip();
                    recorder.write(&records);
                    for start in starts {
                        answers.send(start).unwrap();
                    }
                }
            });
            let send = || {
                number += 1;
                requests.send((Instant::now(), record(number))).unwrap();
            };
            keep_in_flight(in_flight, end, latencies, send, || answered.recv().unwrap());
            drop(requests);
        });
        self.number = number;
    }
}
