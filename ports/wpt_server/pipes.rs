//! Changes to a response that a URL or a file's name asks for.
//!
//! <https://web-platform-tests.org/writing-tests/server-pipes.html>

use std::time::Duration;

use crate::addresses::Addresses;
use crate::message::{Request, Response, Step};
use crate::substitution::{Escape, Undefined, substitute};

/// The longest that a response may be delayed in all.
const LONGEST_DELAY: Duration = Duration::from_secs(120);

/// Sends `response` through the pipes of the file at `path` and of the request's `pipe` parameter.
pub(crate) fn apply(
    mut response: Response,
    path: &str,
    request: &Request,
    addresses: &Addresses,
) -> Result<Response, Undefined> {
    if path.contains(".sub.") {
        response.body = substitute(&response.body, escape_for(path), request, addresses)?;
    }
    let pipes = request.parameters().filter(|(name, _)| name == "pipe");
    let Some((_, pipes)) = pipes.last() else {
        return Ok(response);
    };
    for pipe in parse(&pipes) {
        apply_one(&mut response, &pipe, request, addresses)?;
    }
    Ok(response)
}

/// Markup gets escaped values.
fn escape_for(path: &str) -> Escape {
    let extension = path.rsplit('.').next().unwrap_or_default();
    match extension {
        "html" | "htm" | "xht" | "xhtml" | "xml" | "svg" => Escape::Html,
        _ => Escape::None,
    }
}

fn apply_one(
    response: &mut Response,
    pipe: &Pipe,
    request: &Request,
    addresses: &Addresses,
) -> Result<(), Undefined> {
    let arguments: Vec<_> = pipe.arguments.iter().map(String::as_str).collect();
    let undefined = || Undefined(format!("no pipe {}({})", pipe.name, arguments.join(",")));
    match (pipe.name.as_str(), arguments.as_slice()) {
        ("sub", arguments) => {
            let escape = match arguments {
                [] | ["html"] => Escape::Html,
                ["none"] => Escape::None,
                _ => return Err(undefined()),
            };
            response.body = substitute(&response.body, escape, request, addresses)?;
        }
        ("status", [code]) => response.status = code.trim().parse().map_err(|_| undefined())?,
        ("header", [name, value]) => response.set(name.trim(), value.trim_start()),
        ("header", [name, value, append]) => match append.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => response.append(name.trim(), value.trim_start()),
            "false" | "0" => response.set(name.trim(), value.trim_start()),
            _ => return Err(undefined()),
        },
        ("slice", [start]) => slice(response, start, "null").ok_or_else(undefined)?,
        ("slice", [start, end]) => slice(response, start, end).ok_or_else(undefined)?,
        ("trickle", [delays]) => {
            response.schedule = schedule(delays, response.body.len()).ok_or_else(undefined)?;
            if !["cache-control", "pragma", "expires"]
                .iter()
                .any(|name| response.has(name))
            {
                response.set("Cache-Control", "no-cache, no-store, must-revalidate");
            }
        }
        _ => return Err(undefined()),
    }
    Ok(())
}

/// Leaves the bytes from `start` to `end`; negative positions count from the end.
fn slice(response: &mut Response, start: &str, end: &str) -> Option<()> {
    let length = response.body.len();
    let position = |text: &str, default: usize| {
        if text.eq_ignore_ascii_case("null") {
            return Some(default);
        }
        let position: isize = text.trim().parse().ok()?;
        Some(if position < 0 {
            length.saturating_sub(position.unsigned_abs())
        } else {
            position.unsigned_abs().min(length)
        })
    };
    let (start, end) = (position(start, 0)?, position(end, length)?);
    response.body = response.body.get(start..end).unwrap_or_default().to_vec();
    Some(())
}

/// Delays and amounts, like `d1:100:d0.5:r2`, for a body of `length` bytes.
fn schedule(delays: &str, length: usize) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let (mut sent, mut waited) = (0_usize, Duration::ZERO);
    let mut add = |step: Step, steps: &mut Vec<Step>| {
        match step {
            Step::Send(amount) => sent = sent.saturating_add(amount),
            Step::Wait(duration) => waited += duration,
        }
        steps.push(step);
        sent < length && waited < LONGEST_DELAY
    };
    for part in delays.split(':') {
        if let Some(count) = part.strip_prefix('r') {
            let count: usize = count.parse().ok()?;
            let repeated = steps.get(steps.len().checked_sub(count)?..)?.to_vec();
            if !repeated.iter().any(|step| matches!(step, Step::Send(1..))) {
                return None;
            }
            let mut again = repeated.iter().cycle();
            while again.next().is_some_and(|step| add(*step, &mut steps)) {}
            break;
        }
        let step = match part.strip_prefix('d') {
            Some(seconds) => {
                let duration = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
                Step::Wait(duration.min(LONGEST_DELAY))
            }
            None => Step::Send(part.parse().ok()?),
        };
        add(step, &mut steps);
    }
    Some(steps)
}

#[derive(Debug, Eq, PartialEq)]
struct Pipe {
    name: String,
    arguments: Vec<String>,
}

/// `name(argument,argument)|name`, with backslashes before what would mean something else.
fn parse(text: &str) -> Vec<Pipe> {
    let mut pipes: Vec<Pipe> = Vec::new();
    let mut current = String::new();
    let mut arguments: Option<Vec<String>> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, &mut arguments) {
            ('\\', Some(_)) => current.push(match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            }),
            (',', Some(list)) => list.push(std::mem::take(&mut current)),
            (')', Some(list)) => {
                list.push(std::mem::take(&mut current));
                if let (Some(list), Some(pipe)) = (arguments.take(), pipes.last_mut()) {
                    pipe.arguments = list;
                }
            }
            ('(', None) => {
                let name = std::mem::take(&mut current);
                pipes.push(Pipe {
                    name,
                    arguments: Vec::new(),
                });
                arguments = Some(Vec::new());
            }
            ('|', None) if current.is_empty() => {}
            ('|', None) => pipes.push(Pipe {
                name: std::mem::take(&mut current),
                arguments: Vec::new(),
            }),
            (other, _) => current.push(other),
        }
    }
    if arguments.is_none() && !current.is_empty() {
        pipes.push(Pipe {
            name: current,
            arguments: Vec::new(),
        });
    }
    // `sub()` has no argument, not an empty one.
    for pipe in &mut pipes {
        if pipe.arguments == [""] {
            pipe.arguments.clear();
        }
    }
    pipes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_have_names_and_arguments() {
        let pipe = |name: &str, arguments: &[&str]| Pipe {
            name: name.to_owned(),
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
        };
        assert_eq!(
            parse(r"header(Set-Cookie,a=b\, c\))|status(404)|sub|sub()"),
            [
                pipe("header", &["Set-Cookie", "a=b, c)"]),
                pipe("status", &["404"]),
                pipe("sub", &[]),
                pipe("sub", &[]),
            ]
        );
    }

    #[test]
    fn a_schedule_repeats_until_all_is_sent() {
        let second = Step::Wait(Duration::from_secs(1));
        assert_eq!(
            schedule("d1:10:r2", 25).unwrap(),
            [
                second,
                Step::Send(10),
                second,
                Step::Send(10),
                second,
                Step::Send(10)
            ]
        );
        assert_eq!(schedule("d1:r1", 25), None);
        assert_eq!(schedule("x", 25), None);
        assert_eq!(schedule("r5", 25), None);
    }

    #[test]
    fn a_slice_counts_from_either_end() {
        let mut response = Response::text(200, "abcdef");
        slice(&mut response, "1", "-2").unwrap();
        assert_eq!(response.body, b"bcd");
        slice(&mut response, "2", "1").unwrap();
        assert_eq!(response.body, b"");
    }
}
