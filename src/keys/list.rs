//! Lists of known ends as text, one end a line, which people may edit too.
//!
//! Lines that begin with `#` and empty ones stay where they are when a program rewrites the file; so do the
//! lines of all ends that have not changed, letter for letter. [`Entry`] says what a line holds;
//! [`viewers`](super::viewers) and [`cameras`](super::cameras) are the two kinds.

use std::fmt;
use std::path::{Path, PathBuf};

use super::identity::public_key_from_text;
use super::state::StateError;
use crate::proto::identity::PublicKey;
use crate::wire::Name;

/// Most ends that a list holds.
pub const MOST: usize = 1024;

/// One end of a list.
pub trait Entry: Clone {
    /// The file's name in the state folder.
    const FILE: &'static str;
    /// What such an end is called.
    const KIND: &'static str;
    /// What a line holds.
    const FORM: &'static str;
    /// What a new file begins with.
    const HEAD: &'static str;

    /// The name, which no other end of the list has.
    fn name(&self) -> Name;

    /// The public key, which no other end of the list has.
    fn key(&self) -> PublicKey;

    /// The line.
    fn to_line(&self) -> String;

    /// Reads the words of a line.
    ///
    /// # Errors
    ///
    /// What is wrong, and at which word.
    fn parse(words: &mut Words<'_>) -> Result<Self, (usize, String)>;
}

/// The words of a line, each with the column where it begins, from 1.
#[derive(Debug)]
pub struct Words<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Words<'a> {
    const fn new(line: &'a str) -> Self {
        Self { line, rest: line }
    }

    /// The column of the next word, or of the line's end.
    fn column(&self) -> usize {
        let at = self.line.len() - self.rest.trim_start().len();
        self.line[..at].chars().count() + 1
    }

    /// The next word, if there is one.
    pub(super) fn word(&mut self) -> Option<(usize, &'a str)> {
        let column = self.column();
        let rest = self.rest.trim_start();
        let (word, rest) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some((column, word))
    }

    /// The next word, read by `parse`; `what` and `form` say what is missing if there is none.
    pub(super) fn read<T, E: fmt::Display>(
        &mut self,
        what: &str,
        form: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, (usize, String)> {
        let column = self.column();
        let (_, word) =
            self.word().ok_or_else(|| (column, format!("the {what} is missing: a line is {form}")))?;
        parse(word).map_err(|why| (column, why.to_string()))
    }

    pub(super) fn read_name(&mut self, form: &str) -> Result<Name, (usize, String)> {
        self.read("name", form, str::parse)
    }

    pub(super) fn read_key(&mut self, form: &str) -> Result<PublicKey, (usize, String)> {
        self.read("key", form, public_key_from_text)
    }
}

/// Why a list cannot be read or changed.
#[derive(Debug)]
pub enum ListError {
    /// The state folder refuses.
    State(StateError),
    /// A line is wrong; written as `FILE:LINE:COLUMN: problem`, as compilers do.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong, and the mend.
        problem: String,
    },
    /// What was asked of the list cannot be done; a sentence with the mend.
    Refused(String),
    /// Another program is changing it.
    Busy,
}

impl ListError {
    /// Whether the system refuses, and not what somebody has written.
    #[must_use]
    pub const fn is_of_the_system(&self) -> bool {
        matches!(self, Self::State(_))
    }
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(why) => why.fmt(f),
            Self::Line { path, line, column, problem } => {
                write!(f, "{}:{line}:{column}: {problem}", path.display())
            }
            Self::Refused(why) => f.write_str(why),
            Self::Busy => f.write_str("another program is changing the list: try again in a moment"),
        }
    }
}

impl std::error::Error for ListError {}

impl From<StateError> for ListError {
    fn from(why: StateError) -> Self {
        Self::State(why)
    }
}

#[derive(Debug, Clone)]
enum Line<E> {
    Remark(String),
    End { end: E, text: String },
}

impl<E> Line<E> {
    fn text(&self) -> &str {
        let (Self::Remark(text) | Self::End { text, .. }) = self;
        text
    }
}

/// A whole list: no two ends have one name or one key.
#[derive(Debug, Clone)]
pub struct List<E> {
    lines: Vec<Line<E>>,
}

impl<E: Entry> List<E> {
    /// A list without ends.
    #[must_use]
    pub fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// Its ends, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.lines.iter().filter_map(|line| match line {
            Line::End { end, .. } => Some(end),
            Line::Remark(_) => None,
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The end with this name.
    #[must_use]
    pub fn by_name(&self, name: Name) -> Option<&E> {
        self.iter().find(|end| end.name() == name)
    }

    /// The end with this key.
    #[must_use]
    pub fn by_key(&self, key: &PublicKey) -> Option<&E> {
        self.iter().find(|end| end.key() == *key)
    }

    /// `wanted`, or with a number behind it if an end has that name: `barn`, `barn-2`, `barn-3`.
    #[must_use]
    pub fn free_name(&self, wanted: Name) -> Name {
        let numbered = (2..).map(|number| {
            let number = format!("-{number}");
            let stem = &wanted.as_str()[..wanted.as_str().len().min(Name::MAX - number.len())];
            format!("{stem}{number}").parse().unwrap_or(wanted)
        });
        let mut names = core::iter::once(wanted).chain(numbered);
        names.find(|name| self.by_name(*name).is_none()).unwrap_or(wanted)
    }

    /// Adds an end.
    ///
    /// # Errors
    ///
    /// [`ListError::Refused`] if another has its name or key, or if the list is full.
    pub fn add(&mut self, end: E) -> Result<(), ListError> {
        let refuse = |why| Err(ListError::Refused(why));
        if self.by_name(end.name()).is_some() {
            return refuse(format!(
                "a {} is called {} already: choose another name, or take that one off the list first",
                E::KIND,
                end.name()
            ));
        }
        if let Some(same) = self.by_key(&end.key()) {
            return refuse(format!(
                "the {} {} has that key already: take it off the list first to give it another name",
                E::KIND,
                same.name()
            ));
        }
        if self.len() >= MOST {
            return refuse(format!("the list is full, with {MOST} {}s: take one off first", E::KIND));
        }
        self.lines.push(Line::End { text: end.to_line(), end });
        Ok(())
    }

    /// Takes the end with this name off the list.
    pub fn remove(&mut self, name: Name) -> Option<E> {
        let is_it = |line: &Line<E>| matches!(line, Line::End { end, .. } if end.name() == name);
        let at = self.lines.iter().position(is_it)?;
        match self.lines.remove(at) {
            Line::End { end, .. } => Some(end),
            Line::Remark(_) => None,
        }
    }

    /// Puts `end` in the place of the one with its name, or at the end of the list.
    ///
    /// # Errors
    ///
    /// [`ListError::Refused`] if one with another name has its key, or if the list is full.
    pub fn put(&mut self, end: E) -> Result<(), ListError> {
        let name = end.name();
        let is_it = |line: &Line<E>| matches!(line, Line::End { end, .. } if end.name() == name);
        let Some(at) = self.lines.iter().position(is_it) else { return self.add(end) };
        if let Some(same) = self.by_key(&end.key()).filter(|same| same.name() != name) {
            return Err(ListError::Refused(format!(
                "the {} {} has the key of {name} already: take one of them off the list",
                E::KIND,
                same.name()
            )));
        }
        self.lines[at] = Line::End { text: end.to_line(), end };
        Ok(())
    }

    /// Puts the remarks of a new file before its first end.
    pub(super) fn head(&mut self) {
        self.lines.splice(0..0, E::HEAD.lines().map(|line| Line::Remark(line.to_owned())));
    }

    /// What stands in the file.
    pub(super) fn to_text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text(), "\n"]).collect()
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ListError> {
        let mut list = Self::new();
        // Where each end stands, to name both lines of two that are the same.
        let mut seen: Vec<(usize, Name, PublicKey)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let fail =
                |(column, problem)| ListError::Line { path: path.to_owned(), line: at + 1, column, problem };
            let text = line.trim_end().to_owned();
            if text.is_empty() || text.trim_start().starts_with('#') {
                list.lines.push(Line::Remark(text));
                continue;
            }
            let mut words = Words::new(&text);
            let end = E::parse(&mut words).map_err(fail)?;
            if let Some((column, _)) = words.word() {
                let problem = format!(
                    "something after the end of the line: a line is {}; a remark stands on a line of its own, \
                     after #",
                    E::FORM
                );
                return Err(fail((column, problem)));
            }
            check_against(&seen, &end).map_err(|problem| fail((1, problem)))?;
            if seen.len() == MOST {
                return Err(fail((1, format!("more than {MOST} {}s: take some off the list", E::KIND))));
            }
            seen.push((at + 1, end.name(), end.key()));
            list.lines.push(Line::End { text, end });
        }
        Ok(list)
    }
}

impl<E: Entry> Default for List<E> {
    fn default() -> Self {
        Self::new()
    }
}

fn check_against<E: Entry>(seen: &[(usize, Name, PublicKey)], end: &E) -> Result<(), String> {
    if let Some((line, name, _)) = seen.iter().find(|(_, name, _)| *name == end.name()) {
        return Err(format!(
            "a second {} called {name}, as in line {line}: take out one of the lines",
            E::KIND
        ));
    }
    if let Some((line, name, _)) = seen.iter().find(|(_, _, key)| *key == end.key()) {
        return Err(format!(
            "the key of {name} once more, as in line {line}: take out one of the lines, or put in another key"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
