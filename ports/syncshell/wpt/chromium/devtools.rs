//! The `DevTools` protocol of Chromium, over a pair of pipes.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::thread;
use std::time::Duration;

use base::channel::{Received, Receiver, unbounded};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a browser may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something that the browser tells.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) params: Value,
    /// Which target it is about.
    #[serde(rename = "sessionId")]
    pub(crate) session: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    result: Value,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    message: String,
}

/// A message from the browser.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Answer(Answer),
    Event(Event),
}

/// The way to a browser.
pub(crate) struct DevTools {
    output: Box<dyn Write>,
    messages: Receiver<Message>,
    /// Came while an answer was waited for.
    events: VecDeque<Event>,
    last_id: u64,
}

impl DevTools {
    /// Commands go to `output`, and what the browser says comes from `input`.
    pub(crate) fn new(input: impl Read + Send + 'static, output: impl Write + 'static) -> Self {
        let (sender, messages) = unbounded();
        thread::spawn(move || {
            for message in BufReader::new(input).split(0) {
                let Ok(message) = message else { break };
                let Ok(message) = serde_json::from_slice::<Message>(&message) else {
                    continue;
                };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            output: Box::new(output),
            messages,
            events: VecDeque::new(),
            last_id: 0,
        }
    }

    /// Send a command, and do not wait for its answer.
    pub(crate) fn send(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<u64, String> {
        self.last_id += 1;
        let mut message = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.output
            .write_all(&bytes)
            .map_err(|error| format!("the browser takes no commands: {error}"))?;
        Ok(self.last_id)
    }

    /// Send a command, and wait for its answer. Events that come meanwhile are kept.
    pub(crate) fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.send(session, method, params)?;
        loop {
            match self.messages.recv_timeout(Some(PATIENCE)) {
                Received::Message(Message::Answer(answer)) if answer.id == id => {
                    return match answer.error {
                        Some(error) => Err(format!("{method}: {}", error.message)),
                        None => Ok(answer.result),
                    };
                }
                Received::Message(Message::Answer(_)) => {}
                Received::Message(Message::Event(event)) => self.events.push_back(event),
                Received::TimedOut => return Err(format!("{method}: no answer")),
                Received::Disconnected => return Err(format!("{method}: the browser ended")),
            }
        }
    }

    /// The next event.
    pub(crate) fn event(&mut self, patience: Duration) -> Received<Event> {
        if let Some(event) = self.events.pop_front() {
            return Received::Message(event);
        }
        match self.messages.recv_timeout(Some(patience)) {
            Received::Message(Message::Event(event)) => Received::Message(event),
            // An answer that nobody waits for: the caller looks at its clock.
            Received::Message(Message::Answer(_)) | Received::TimedOut => Received::TimedOut,
            Received::Disconnected => Received::Disconnected,
        }
    }

    /// The events of this name that came while an answer was waited for.
    pub(crate) fn take_queued(&mut self, method: &str) -> Vec<Event> {
        let (taken, kept) = self
            .events
            .drain(..)
            .partition::<VecDeque<Event>, _>(|event| event.method == method);
        self.events = kept;
        taken.into()
    }
}
