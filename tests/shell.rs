use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;

use base::channel::{self, Receiver};
use syncshell::{Answer, ShellEvent};

use crate::site::PATIENCE;

/// How a shell is started.
#[derive(Clone, Debug, Default)]
pub struct ShellOptions {
    arguments: Vec<String>,
}

impl ShellOptions {
    /// `syncshell open` on a profile folder.
    pub fn profile(folder: &Path) -> Self {
        Self {
            arguments: vec!["--profile".to_owned(), folder.display().to_string()],
        }
    }

    /// With the network down.
    #[must_use]
    pub fn offline(self) -> Self {
        self.argument("--offline")
    }

    /// With one more argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

/// A running shell. Killed when it is dropped.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    events: Receiver<ShellEvent>,
    seen: Vec<ShellEvent>,
}

impl Shell {
    /// Start the program of these tests with `open --json` and the options.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(program: &str, options: &ShellOptions) -> Self {
        Self::start_with(Command::new(program), options)
    }

    /// Start the program of these tests in a network namespace of its own, which is empty.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start_elsewhere(program: &str, options: &ShellOptions) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", program]);
        Self::start_with(command, options)
    }

    fn start_with(mut command: Command, options: &ShellOptions) -> Self {
        let mut child = command
            .args(["open", "--json"])
            .args(&options.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the shell starts");
        let input = child.stdin.take().expect("it has a standard input");
        let output = child.stdout.take().expect("it has a standard output");
        // Bounded by what one short run has to say.
        let (sender, events) = channel::unbounded();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not an event: {line}: {error}"));
                let _ = sender.send(event);
            }
        });
        Self {
            child,
            input,
            events,
            seen: Vec::new(),
        }
    }

    /// Give a command.
    ///
    /// # Panics
    ///
    /// When the shell has ended.
    pub fn say(&mut self, command: &str) {
        writeln!(self.input, "{command}").expect("the shell takes commands");
    }

    /// Wait until the shell tells of an event.
    ///
    /// # Panics
    ///
    /// When it ends before that, or takes too long.
    pub fn wait_for(&mut self, what: &str, is_it: impl Fn(&ShellEvent) -> bool) -> ShellEvent {
        loop {
            match self.events.recv_timeout(Some(PATIENCE)) {
                channel::Received::Message(event) => {
                    self.seen.push(event.clone());
                    if is_it(&event) {
                        return event;
                    }
                }
                end => panic!(
                    "waiting for {what}: {end:?}; the shell told {:#?}",
                    self.seen
                ),
            }
        }
    }

    /// Wait until the shell has told of each of these events, in whatever order they come.
    ///
    /// # Panics
    ///
    /// When it ends before that, or takes too long.
    pub fn wait_for_all(&mut self, what: &str, events: &[&dyn Fn(&ShellEvent) -> bool]) {
        let mut missing = events.to_vec();
        while !missing.is_empty() {
            let event = self.wait_for(what, |_| true);
            missing.retain(|is_it| !is_it(&event));
        }
    }

    /// Wait until a script writes a line that begins so.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn wait_for_console(&mut self, beginning: &str) -> ShellEvent {
        self.wait_for(
            beginning,
            |event| matches!(event, ShellEvent::Console { text, .. } if text.starts_with(beginning)),
        )
    }

    /// Wait until something happens to the sync with a tag.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn wait_for_sync(&mut self, tag: &str, what: &str) -> ShellEvent {
        let (expected_tag, expected) = (tag, what);
        self.wait_for(&format!("\"{tag}\" to be {what}"), |event| {
            matches!(event, ShellEvent::Sync { tag, what, .. } if tag == expected_tag && what == expected)
        })
    }

    /// Evaluate a script in the page and get its result as text.
    ///
    /// # Panics
    ///
    /// When there is no page, or the script throws.
    pub fn evaluate(&mut self, script: &str) -> String {
        self.say(&format!("eval {script}"));
        match self.wait_for(script, |event| {
            matches!(event, ShellEvent::Evaluated { .. })
        }) {
            ShellEvent::Evaluated {
                result: Some(result),
                ..
            } => result,
            other => panic!("{script}: {other:?}"),
        }
    }

    /// Ask why a tag has not fired. Gives what is known about each registration of it, and the text
    /// for people.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub fn why(&mut self, expected: &str) -> (Vec<Answer>, String) {
        self.say(&format!("why {expected}"));
        let is_it = |event: &ShellEvent| matches!(event, ShellEvent::Explanation { tag, .. } if tag == expected);
        match self.wait_for("an explanation", is_it) {
            ShellEvent::Explanation { answers, text, .. } => (answers, text),
            other => panic!("{other:?}"),
        }
    }

    /// Grant or deny a permission, and wait until it is done.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub fn decide(&mut self, command: &str) {
        self.say(command);
        self.wait_for(command, |event| {
            matches!(event, ShellEvent::Permission { .. })
        });
    }

    /// Close the pages, and wait until one is closed.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub fn close(&mut self) {
        self.say("close");
        self.wait_for("the page to close", |event| {
            matches!(event, ShellEvent::PageClosed { .. })
        });
    }

    /// Every event that was waited for or passed over so far.
    pub fn seen(&self) -> &[ShellEvent] {
        &self.seen
    }

    /// How often something happened to the sync with a tag, as far as was seen.
    pub fn count_sync(&self, expected_tag: &str, expected: &str) -> usize {
        self.seen
            .iter()
            .filter(|event| {
                matches!(event, ShellEvent::Sync { tag, what, .. } if tag == expected_tag && what == expected)
            })
            .count()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kill it with SIGKILL.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// Tell it to quit, and wait until it has.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn quit(mut self) -> (ExitStatus, Vec<ShellEvent>) {
        // When it has quit already, it takes no command any more.
        let _ = writeln!(self.input, "quit");
        self.wait_for_exit()
    }

    /// Wait until it ends by itself; gives everything that it told.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn wait_for_exit(mut self) -> (ExitStatus, Vec<ShellEvent>) {
        loop {
            match self.events.recv_timeout(Some(PATIENCE)) {
                channel::Received::Message(event) => self.seen.push(event),
                channel::Received::Disconnected => break,
                channel::Received::TimedOut => {
                    panic!("the shell does not end; it told {:#?}", self.seen);
                }
            }
        }
        let status = self.child.wait().expect("it can be waited for");
        (status, std::mem::take(&mut self.seen))
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
