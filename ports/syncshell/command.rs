use std::fmt;
use std::io::{self, BufRead};
use std::str::FromStr;

/// What a person or a program can tell a running shell on its standard input, one command a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// Emulate that the network is down.
    Offline,
    /// End the emulation.
    Online,
    /// Run a script in the page.
    Evaluate(String),
    /// Open another page.
    Open(String),
    /// Close the pages; the engine goes on.
    Close,
    /// Tell what every sync waits for.
    Status,
    /// Shut down.
    Quit,
}

/// A line that is not a command.
#[derive(Debug)]
pub(crate) struct UnknownCommand(String);

impl fmt::Display for UnknownCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "\"{}\" is not a command; the commands are: offline, online, eval SCRIPT, open URL, \
             close, status, quit",
            self.0
        )
    }
}

impl FromStr for Command {
    type Err = UnknownCommand;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("offline", "") => Ok(Self::Offline),
            ("online", "") => Ok(Self::Online),
            ("close", "") => Ok(Self::Close),
            ("status", "") => Ok(Self::Status),
            ("quit", "") => Ok(Self::Quit),
            ("eval", script) if !script.is_empty() => Ok(Self::Evaluate(script.to_owned())),
            ("open", url) if !url.is_empty() => Ok(Self::Open(url.to_owned())),
            _ => Err(UnknownCommand(line.to_owned())),
        }
    }
}

/// Read commands until the input ends; hand over what each line says.
pub(crate) fn read_commands(
    input: impl io::Read,
    mut handle: impl FnMut(Result<Command, UnknownCommand>),
) {
    for line in io::BufReader::new(input).split(b'\n') {
        // Input that cannot be read any more is the end of the input.
        let Ok(line) = line else { return };
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            handle(line.parse());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_command_or_an_error_that_lists_the_commands() {
        let mut results = Vec::new();
        read_commands(
            &b"offline\n\n  online \neval send( 1 )\nopen http://localhost/\nclose\nquit\nsleep 5\n\xff\nstatus"[..],
            |result| results.push(result.map_err(|error| error.to_string())),
        );
        assert_eq!(
            results[..6],
            [
                Ok(Command::Offline),
                Ok(Command::Online),
                Ok(Command::Evaluate("send( 1 )".to_owned())),
                Ok(Command::Open("http://localhost/".to_owned())),
                Ok(Command::Close),
                Ok(Command::Quit),
            ]
        );
        assert!(
            results[6]
                .as_ref()
                .unwrap_err()
                .contains("\"sleep 5\" is not a command")
        );
        assert!(
            results[7]
                .as_ref()
                .unwrap_err()
                .contains("the commands are: offline")
        );
        assert_eq!(
            results[8],
            Ok(Command::Status),
            "a line that is not text ends nothing"
        );
    }
}
