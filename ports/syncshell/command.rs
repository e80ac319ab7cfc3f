use std::fmt;
use std::io::{self, BufRead};
use std::str::FromStr;
use std::time::Duration;

use base::StorageKey;
use sync_traits::PermissionName;
use url::Url;

/// What a person or a program can tell a running shell on its standard input, one command a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// Emulate that the network is down: for everybody, or for the service worker registration with
    /// this scope.
    Offline(Option<Url>),
    /// End that emulation.
    Online(Option<Url>),
    /// Run a script in the page.
    Evaluate(String),
    /// Open another page.
    Open(String),
    /// Close the pages; the engine goes on.
    Close,
    /// Tell what every sync waits for.
    Status,
    /// Tell why a tag has not fired, and what would make it fire.
    Why(String),
    /// Grant or deny a permission.
    Decide(Decision),
    /// Move the clock forward.
    Advance(Duration),
    /// Shut down.
    Quit,
}

/// A permission that somebody grants or denies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Decision {
    /// Which one.
    pub(crate) name: PermissionName,
    /// Whose; without one, whoever is meant.
    pub(crate) origin: Option<StorageKey>,
    /// Whether it is granted.
    pub(crate) granted: bool,
}

impl Decision {
    pub(crate) fn new(granted: bool, name: &str, origin: Option<&str>) -> Result<Self, String> {
        Ok(Self {
            name: name.parse().map_err(|error| format!("{error}"))?,
            origin: origin.map(parse_origin).transpose()?,
            granted,
        })
    }
}

fn parse_origin(text: &str) -> Result<StorageKey, String> {
    let hint = "an origin is like http://localhost:8000";
    let url = Url::parse(text).map_err(|error| format!("\"{text}\": {error}; {hint}"))?;
    StorageKey::from_url(&url).map_err(|error| format!("{error}; {hint}"))
}

/// How far a clock is moved: `12h`, `7days`, `5m 30s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("\"{text}\": {error}; a duration is like 12h, 7days or 5m 30s"))
}

/// The scope of a service worker registration that a command may name.
fn parse_scope(text: &str) -> Result<Option<Url>, UnknownCommand> {
    if text.is_empty() {
        return Ok(None);
    }
    match Url::parse(text) {
        Ok(url) if StorageKey::from_url(&url).is_ok() => Ok(Some(url)),
        _ => Err(UnknownCommand::Argument(format!(
            "\"{text}\" is not the scope of a service worker; a scope is like http://localhost:8000/"
        ))),
    }
}

/// The tag that a command names: the rest of its line, or a JSON string for a tag with spaces
/// around it, or without any character.
fn parse_tag(text: &str) -> Option<String> {
    let quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    if quoted && let Ok(tag) = serde_json::from_str(text) {
        return Some(tag);
    }
    (!text.is_empty()).then(|| text.to_owned())
}

/// A line that is not a command.
#[derive(Debug)]
pub(crate) enum UnknownCommand {
    /// There is no such command, or it lacks something.
    Line(String),
    /// What comes after the command makes no sense.
    Argument(String),
}

impl fmt::Display for UnknownCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(
                formatter,
                "\"{line}\" is not a command; the commands are: offline [SCOPE], online [SCOPE], \
                 eval SCRIPT, open URL, close, status, why TAG, grant NAME [ORIGIN], deny NAME [ORIGIN], \
                 advance DURATION, quit"
            ),
            Self::Argument(text) => formatter.write_str(text),
        }
    }
}

impl FromStr for Command {
    type Err = UnknownCommand;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("offline", scope) => parse_scope(scope).map(Self::Offline),
            ("online", scope) => parse_scope(scope).map(Self::Online),
            ("close", "") => Ok(Self::Close),
            ("status", "") => Ok(Self::Status),
            ("quit", "") => Ok(Self::Quit),
            ("eval", script) if !script.is_empty() => Ok(Self::Evaluate(script.to_owned())),
            ("open", url) if !url.is_empty() => Ok(Self::Open(url.to_owned())),
            ("why" | "explain", tag) => parse_tag(tag)
                .map(Self::Why)
                .ok_or_else(|| UnknownCommand::Line(line.to_owned())),
            ("grant" | "deny", rest) if !rest.is_empty() => {
                let (name, origin) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let origin = Some(origin.trim()).filter(|origin| !origin.is_empty());
                Decision::new(word == "grant", name, origin)
                    .map(Self::Decide)
                    .map_err(UnknownCommand::Argument)
            }
            ("advance", duration) if !duration.is_empty() => parse_duration(duration)
                .map(Self::Advance)
                .map_err(UnknownCommand::Argument),
            _ => Err(UnknownCommand::Line(line.to_owned())),
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
                Ok(Command::Offline(None)),
                Ok(Command::Online(None)),
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

    #[test]
    fn a_command_takes_what_comes_after_it() {
        let parse = |line: &str| line.parse::<Command>().map_err(|error| error.to_string());
        for (line, tag) in [
            ("why news", "news"),
            ("explain two words", "two words"),
            ("why \"\"", ""),
            ("why \" a\"", " a"),
            ("why \"open", "\"open"),
        ] {
            assert_eq!(parse(line), Ok(Command::Why(tag.to_owned())), "{line}");
        }
        assert!(parse("why").unwrap_err().contains("not a command"));
        let scope = Url::parse("http://localhost:8000/a/").unwrap();
        assert_eq!(
            parse("offline  http://localhost:8000/a/"),
            Ok(Command::Offline(Some(scope.clone())))
        );
        assert_eq!(
            parse("online http://localhost:8000/a/"),
            Ok(Command::Online(Some(scope)))
        );
        for text in ["offline now", "online data:,x"] {
            assert!(parse(text).unwrap_err().contains("not the scope"), "{text}");
        }
        let decision = |granted, origin: Option<&str>| {
            let name = "periodic-background-sync";
            Ok(Command::Decide(
                Decision::new(granted, name, origin).unwrap(),
            ))
        };
        assert_eq!(
            parse("grant periodic-background-sync"),
            decision(true, None)
        );
        assert_eq!(
            parse("deny periodic-background-sync  https://example.org/a"),
            decision(false, Some("https://example.org"))
        );
        assert!(
            parse("grant camera")
                .unwrap_err()
                .contains("background-sync")
        );
        assert!(
            parse("grant background-sync data:,x")
                .unwrap_err()
                .contains("opaque")
        );
        assert_eq!(
            parse("advance 1day 12h"),
            Ok(Command::Advance(Duration::from_secs(36 * 60 * 60)))
        );
        assert!(parse("advance soon").unwrap_err().contains("7days"));
    }
}
