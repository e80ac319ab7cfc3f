//! The form in which wptrunner keeps expectations: sections and keys that are nested by their
//! indentation.

use std::fmt::{self, Write as _};

/// A section: a heading, keys, and sections in it. The whole file is one without a heading.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Section {
    /// What it is about: a test, or a subtest.
    pub(crate) name: String,
    /// The lines of comments above its heading.
    comments: Vec<String>,
    /// Keys with their values, and comments among them as they are.
    entries: Vec<Entry>,
    /// The sections in it.
    pub(crate) sections: Vec<Section>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Entry {
    Comment(String),
    Key(String, String),
}

/// A line that makes no sense.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct SyntaxError {
    /// Its number, from one.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) reason: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.reason)
    }
}

/// One line that is not empty.
struct Line<'a> {
    number: usize,
    indentation: usize,
    text: &'a str,
}

impl Section {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Read a file.
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let lines: Vec<Line<'_>> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| Line {
                number: index + 1,
                indentation: line.len() - line.trim_start().len(),
                text: line.trim(),
            })
            .collect();
        let mut root = Self::default();
        let mut rest = &lines[..];
        root.read(&mut rest, 0)?;
        match rest.first() {
            Some(line) => Err(SyntaxError {
                line: line.number,
                reason: "it is indented less than its section",
            }),
            None => Ok(root),
        }
    }

    /// Read the lines that are indented like this or deeper.
    fn read(&mut self, rest: &mut &[Line<'_>], indentation: usize) -> Result<(), SyntaxError> {
        let mut comments = Vec::new();
        while let Some((line, after)) = rest.split_first() {
            if line.indentation < indentation {
                break;
            }
            let error = |reason| SyntaxError {
                line: line.number,
                reason,
            };
            *rest = after;
            if line.text.starts_with('#') {
                comments.push(line.text.to_owned());
                continue;
            }
            if line.indentation > indentation {
                return Err(error("it is indented deeper than its section"));
            }
            if let Some(heading) = line.text.strip_prefix('[') {
                let name = heading
                    .strip_suffix(']')
                    .ok_or_else(|| error("a heading ends with ]"))?;
                let mut section = Self::new(&unescape(name));
                section.comments = std::mem::take(&mut comments);
                if let Some(inner) = after.first().map(|line| line.indentation)
                    && inner > indentation
                {
                    section.read(rest, inner)?;
                }
                self.sections.push(section);
            } else {
                let (key, value) = line
                    .text
                    .split_once(':')
                    .ok_or_else(|| error("it is neither [a heading] nor key: value"))?;
                if value.trim().is_empty() {
                    return Err(error("conditions are not supported: the key has no value"));
                }
                self.entries.extend(comments.drain(..).map(Entry::Comment));
                self.entries
                    .push(Entry::Key(key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        self.entries
            .extend(comments.into_iter().map(Entry::Comment));
        Ok(())
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Key(found, value) if found == key => Some(value.as_str()),
            _ => None,
        })
    }

    /// Give a key a value, or take it away.
    pub(crate) fn set(&mut self, key: &str, value: Option<&str>) {
        let place = self
            .entries
            .iter()
            .position(|entry| matches!(entry, Entry::Key(found, _) if found == key));
        match (place, value) {
            (Some(place), Some(value)) => {
                self.entries[place] = Entry::Key(key.to_owned(), value.to_owned());
            }
            (Some(place), None) => {
                self.entries.remove(place);
            }
            (None, Some(value)) => {
                let entry = Entry::Key(key.to_owned(), value.to_owned());
                self.entries.insert(0, entry);
            }
            (None, None) => {}
        }
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Self> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The section with this name, which is made if it is missing.
    pub(crate) fn section_mut(&mut self, name: &str) -> &mut Self {
        let index = self
            .sections
            .iter()
            .position(|section| section.name == name);
        let index = index.unwrap_or_else(|| {
            self.sections.push(Self::new(name));
            self.sections.len() - 1
        });
        &mut self.sections[index]
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.sections.is_empty()
    }

    fn write(&self, text: &mut String, depth: usize) {
        let indentation = "  ".repeat(depth);
        for entry in &self.entries {
            // Writing to a string cannot fail.
            let _ = match entry {
                Entry::Comment(comment) => writeln!(text, "{indentation}{comment}"),
                Entry::Key(key, value) => writeln!(text, "{indentation}{key}: {value}"),
            };
        }
        for (index, section) in self.sections.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            for comment in &section.comments {
                let _ = writeln!(text, "{indentation}{comment}");
            }
            let _ = writeln!(text, "{indentation}[{}]", escape(&section.name));
            section.write(text, depth + 1);
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, 0);
        formatter.write_str(&text)
    }
}

fn escape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            ']' => text.push_str("\\]"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            other if other.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(other));
            }
            other => text.push(other),
        }
    }
    text
}

fn unescape(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some(length @ ('x' | 'u')) => {
                let digits = if length == 'x' { 2 } else { 4 };
                let code: String = characters.by_ref().take(digits).collect();
                let code = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# Above the file's first heading
[a.any.html]
  expected: TIMEOUT
  # why it is slow
  bug: streams
  [one \\[two\\\\\\] \\u0001\\n]
    expected: [FAIL, PASS]

  # about the next one
  [three]
    bug: x: y
    expected: NOTRUN

[a.any.worker.html]
  disabled: no workers
";

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let file = Section::parse(FILE).unwrap();
        let written = file.to_string();
        assert_eq!(written, FILE.replace("\\[two", "[two"));
        assert_eq!(Section::parse(&written), Ok(file.clone()));
        let test = file.section("a.any.html").unwrap();
        assert_eq!(test.value("expected"), Some("TIMEOUT"));
        let subtest = test.section("one [two\\] \u{1}\n").unwrap();
        assert_eq!(subtest.value("expected"), Some("[FAIL, PASS]"));
        assert_eq!(test.section("three").unwrap().value("bug"), Some("x: y"));
        assert_eq!(
            file.section("a.any.worker.html").unwrap().value("disabled"),
            Some("no workers")
        );
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (text, line) in [
            ("[a\n", 1),
            ("[a]\n  expected FAIL\n", 2),
            ("[a]\n  expected:\n    if os: FAIL\n", 2),
            ("[a]\n  bug: x\n    deeper: y\n", 3),
            ("  [a]\nbug: x\n", 1),
        ] {
            assert_eq!(
                Section::parse(text).map_err(|error| error.line),
                Err(line),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_and_sections_come_and_go() {
        let mut file = Section::default();
        file.section_mut("t")
            .section_mut("s")
            .set("expected", Some("FAIL"));
        assert_eq!(file.to_string(), "[t]\n  [s]\n    expected: FAIL\n");
        file.section_mut("t").section_mut("s").set("expected", None);
        assert!(file.section_mut("t").section_mut("s").is_empty());
        assert!(!file.is_empty());
    }
}
