//! `syncshell demo`: the main job, told step by step.
//!
//! This process is the web site's server and the story teller; the engine runs in processes of its
//! own, so that the first one can be killed for real.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use base::channel::{Callback, Received, Receiver, Sender, unbounded};

use crate::clock::SystemClock;
use crate::mail_server::{Mail, MailServer};
use crate::report::{ShellEvent, print_line};

/// How long one step may take on a slow machine.
const STEP_LIMIT: Duration = Duration::from_secs(60);

const MAILS: [(&str, &str); 3] = [
    ("ada@example.org", "Notes on the engine"),
    ("grace@example.org", "The first bug"),
    ("edsger@example.org", "Considered harmful"),
];

/// Why the demo did not come to its end.
#[derive(Debug)]
pub(crate) enum DemoError {
    /// Something of the operating system failed.
    Io(&'static str, io::Error),
    /// An engine process ended, or said nothing for too long.
    NoAnswer {
        waiting_for: &'static str,
        ended: bool,
    },
    /// The server did not get what was written.
    WrongDelivery { received: Vec<Mail> },
}

impl fmt::Display for DemoError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(formatter, "{what}: {error}"),
            Self::NoAnswer {
                waiting_for,
                ended: true,
            } => {
                write!(
                    formatter,
                    "the engine ended while the demo waited for {waiting_for}"
                )
            }
            Self::NoAnswer {
                waiting_for,
                ended: false,
            } => write!(
                formatter,
                "the demo waited {} s for {waiting_for}",
                STEP_LIMIT.as_secs()
            ),
            Self::WrongDelivery { received } => {
                let subjects: Vec<&str> =
                    received.iter().map(|mail| mail.subject.as_str()).collect();
                write!(
                    formatter,
                    "the server received {} mail(s) instead of each of the {} exactly once: \
                     {subjects:?}",
                    received.len(),
                    MAILS.len()
                )
            }
        }
    }
}

impl std::error::Error for DemoError {}

/// What the story is made of.
enum Scene {
    Engine(ShellEvent),
    EngineEnded,
    Delivered(Mail),
}

struct Story {
    clock: SystemClock,
    sender: Sender<Scene>,
    scenes: Receiver<Scene>,
    received: Vec<Mail>,
}

/// Run the demo. The profile is kept in `keep`, or in a temporary folder that goes with the demo.
pub(crate) fn run(keep: Option<PathBuf>) -> Result<(), DemoError> {
    let temporary =
        tempfile::tempdir().map_err(|error| DemoError::Io("no temporary folder", error))?;
    let profile = keep.unwrap_or_else(|| temporary.path().join("profile"));

    // Bounded by what two short runs of the engine and three mails have to say.
    let (sender, scenes) = unbounded();
    let server = MailServer::start(Callback::to_sender(&sender, Scene::Delivered))
        .map_err(|error| DemoError::Io("the demo's web server cannot listen on loopback", error))?;
    let mut story = Story {
        clock: SystemClock::new(),
        sender,
        scenes,
        received: Vec::new(),
    };

    Story::chapter("A mail site, its server, and an engine with an empty profile");
    story.tell(
        "server",
        Style::new(),
        &format!("serves a mail site on {}", server.url()),
    );
    let mut engine = story.start_engine(&profile, Some(&server.url()))?;
    story.wait_for("the service worker", |event| {
        is_console(event, "the service worker is active")
    })?;

    Story::chapter("The network goes down; three mails are written");
    engine.say("offline")?;
    story.wait_for("the network to go down", |event| {
        matches!(event, ShellEvent::Network { online: false, .. })
    })?;
    for (to, subject) in MAILS {
        engine.say(&write_mail(to, subject))?;
        let stored = format!("\"{subject}\" is in the outbox");
        story.wait_for("a mail in the outbox", |event| is_console(event, &stored))?;
    }

    Story::chapter("The page is closed, and the engine is killed");
    engine.say("close")?;
    story.wait_for("the page to close", |event| {
        matches!(event, ShellEvent::PageClosed { .. })
    })?;
    engine.kill()?;
    story.wait_for_end()?;
    story.tell(
        "engine",
        AnsiColor::Red.on_default().bold(),
        "killed with SIGKILL",
    );

    Story::chapter("A new engine on the same profile, with no page");
    let mut engine = story.start_engine(&profile, None)?;
    story.wait_for("the stored sync", |event| is_sync(event, "held"))?;

    Story::chapter("The network comes back");
    engine.say("online")?;
    story.wait_for("the sync to end", |event| is_sync(event, "completed"))?;
    engine.say("quit")?;
    story.wait_for_end()?;
    engine.wait()?;
    drop(server);
    story.finish()
}

/// What a person would type into the page and click.
fn write_mail(to: &str, subject: &str) -> String {
    format!(
        "eval document.getElementById(\"to\").value = \"{to}\"; \
         document.getElementById(\"subject\").value = \"{subject}\"; \
         document.getElementById(\"send\").click()"
    )
}

fn is_console(event: &ShellEvent, beginning: &str) -> bool {
    matches!(event, ShellEvent::Console { text, .. } if text.starts_with(beginning))
}

fn is_sync(event: &ShellEvent, expected: &str) -> bool {
    matches!(event, ShellEvent::Sync { what, .. } if what == expected)
}

impl Story {
    fn chapter(title: &str) {
        let bold = Style::new().bold();
        say(&format!("\n{bold}{title}{bold:#}"));
    }

    fn tell(&self, who: &str, style: Style, text: &str) {
        // When nobody reads the story, it still runs to its end.
        let _ = print_line(self.clock.elapsed().as_secs_f64(), who, style, text);
    }

    /// Start an engine that is offline from its start when it has no page to load.
    fn start_engine(&self, profile: &Path, url: Option<&str>) -> Result<EngineProcess, DemoError> {
        let program = std::env::current_exe()
            .map_err(|error| DemoError::Io("the program does not find itself", error))?;
        let mut command = Command::new(program);
        command.args(["open", "--json", "--profile"]).arg(profile);
        match url {
            Some(url) => command.arg(url),
            None => command.arg("--offline"),
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| DemoError::Io("the engine process does not start", error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(DemoError::Io(
                "the engine process",
                io::Error::other("has no pipes"),
            ));
        };
        self.tell(
            "engine",
            Style::new(),
            &format!("started, process {}", child.id()),
        );
        let sender = self.sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    let _ = sender.send(Scene::Engine(event));
                }
            }
            let _ = sender.send(Scene::EngineEnded);
        });
        Ok(EngineProcess { child, input })
    }

    /// The next scene, told.
    fn next(&mut self, waiting_for: &'static str) -> Result<Scene, DemoError> {
        match self.scenes.recv_timeout(Some(STEP_LIMIT)) {
            Received::Message(scene) => {
                match &scene {
                    // That a click evaluates to nothing is no part of the story.
                    Scene::Engine(ShellEvent::Evaluated { error: None, .. })
                    | Scene::EngineEnded => {}
                    Scene::Engine(event) => {
                        let (who, style, text) = event.words();
                        self.tell(who, style, &text);
                    }
                    Scene::Delivered(mail) => {
                        let text = format!("received \"{}\" for {}", mail.subject, mail.to);
                        self.tell("server", AnsiColor::Green.on_default().bold(), &text);
                        self.received.push(mail.clone());
                    }
                }
                Ok(scene)
            }
            Received::TimedOut | Received::Disconnected => Err(DemoError::NoAnswer {
                waiting_for,
                ended: false,
            }),
        }
    }

    fn wait_for(
        &mut self,
        waiting_for: &'static str,
        is_it: impl Fn(&ShellEvent) -> bool,
    ) -> Result<(), DemoError> {
        loop {
            match self.next(waiting_for)? {
                Scene::Engine(event) if is_it(&event) => return Ok(()),
                Scene::EngineEnded => {
                    return Err(DemoError::NoAnswer {
                        waiting_for,
                        ended: true,
                    });
                }
                _ => {}
            }
        }
    }

    fn wait_for_end(&mut self) -> Result<(), DemoError> {
        while !matches!(self.next("the engine to end")?, Scene::EngineEnded) {}
        Ok(())
    }

    fn finish(mut self) -> Result<(), DemoError> {
        while let Some(scene) = self.scenes.try_recv() {
            if let Scene::Delivered(mail) = scene {
                self.received.push(mail);
            }
        }
        let each_once = MAILS.iter().all(|(to, subject)| {
            let written = Mail {
                to: (*to).to_owned(),
                subject: (*subject).to_owned(),
            };
            self.received
                .iter()
                .filter(|mail| **mail == written)
                .count()
                == 1
        });
        if !each_once || self.received.len() != MAILS.len() {
            return Err(DemoError::WrongDelivery {
                received: self.received,
            });
        }
        let good = AnsiColor::Green.on_default().bold();
        say(&format!(
            "\n{good}{} mails were written offline, and the server received each exactly once; \
             {:.2} s in all.{good:#}",
            self.received.len(),
            self.clock.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}

/// Print a line of the story. When nobody reads it, it still runs to its end.
fn say(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A running engine; killed when it is dropped.
struct EngineProcess {
    child: Child,
    input: ChildStdin,
}

impl EngineProcess {
    fn say(&mut self, command: &str) -> Result<(), DemoError> {
        writeln!(self.input, "{command}")
            .map_err(|error| DemoError::Io("the engine takes no command", error))
    }

    fn kill(&mut self) -> Result<(), DemoError> {
        self.child
            .kill()
            .map_err(|error| DemoError::Io("the engine cannot be killed", error))?;
        self.wait()
    }

    fn wait(&mut self) -> Result<(), DemoError> {
        self.child
            .wait()
            .map_err(|error| DemoError::Io("the engine cannot be waited for", error))?;
        Ok(())
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        // It has ended already, unless the demo failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
