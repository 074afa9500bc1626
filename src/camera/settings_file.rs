//! Small JSON files with settings: reading them, and saying where a wrong value is.

use core::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// What is wrong with a file of settings, where, and what to do.
///
/// Written as `FILE:LINE:COLUMN: problem`, as compilers do, so that editors find the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    path: PathBuf,
    /// Line and column, counted from 1; `None` if the file could not be read at all.
    place: Option<(usize, usize)>,
    problem: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl core::error::Error for SettingsError {}

/// A step from a JSON value to one inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// The value of this key of an object.
    Key(&'a str),
    /// The element of this number, from 0, of an array.
    Element(usize),
}

/// The text of a file of settings, for messages that point into it.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    text: String,
}

/// Longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

impl SettingsFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if it cannot be read, is not UTF-8, or is longer than 64 KiB.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let failed = |problem: String| SettingsError { path: path.to_owned(), place: None, problem };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > LONGEST {
            return Err(failed(format!("longer than {LONGEST} bytes: not a file of settings")));
        }
        let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8: save it as UTF-8".to_owned()))?;
        Ok(Self::from_text(path, &text))
    }

    /// A file with this text. A byte order mark, which some editors write, is left out.
    #[must_use]
    pub fn from_text(path: &Path, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        Self { path: path.to_owned(), text }
    }

    /// Takes the text for a `T`; `example` is shown to whoever wrote something else.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] with the place at which the parser stopped.
    pub fn parse<T: DeserializeOwned>(&self, example: &str) -> Result<T, SettingsError> {
        serde_json::from_str(&self.text).map_err(|error| {
            let said = error.to_string();
            let problem = said.rsplit_once(" at line ").map_or(said.as_str(), |(problem, _)| problem);
            SettingsError {
                path: self.path.clone(),
                place: Some((error.line().max(1), error.column().max(1))),
                problem: format!("{problem}; such a file is {example}"),
            }
        })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error at the byte `offset` of the text.
    #[must_use]
    pub fn error_at(&self, offset: usize, problem: String) -> SettingsError {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&character| character != '\n').count() + 1;
        SettingsError { path: self.path.clone(), place: Some((line, column)), problem }
    }

    /// An error at the value to which `steps` lead, or at the last one on the way that there is.
    #[must_use]
    pub fn error(&self, steps: &[Step<'_>], problem: String) -> SettingsError {
        let offset = (0..=steps.len()).rev().find_map(|count| locate(&self.text, &steps[..count]));
        self.error_at(offset.unwrap_or(0), problem)
    }
}

/// The offset of the first byte of the value to which `steps` lead in a valid JSON text.
fn locate(text: &str, steps: &[Step<'_>]) -> Option<usize> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    for step in steps {
        match *step {
            Step::Key(key) => scanner.enter_object(key)?,
            Step::Element(number) => scanner.enter_array(number)?,
        }
    }
    scanner.peek().map(|_| scanner.at)
}

/// Finds its way through JSON that a parser has already accepted.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Goes over one byte, which must be `expected`, and the space around it.
    fn eat(&mut self, expected: u8) -> Option<()> {
        self.skip_space();
        (self.peek()? == expected).then(|| self.at += 1)?;
        self.skip_space();
        Some(())
    }

    fn enter_object(&mut self, key: &str) -> Option<()> {
        self.eat(b'{')?;
        loop {
            let start = self.at;
            self.skip_string()?;
            let found: String = serde_json::from_str(&self.text[start..self.at]).ok()?;
            self.eat(b':')?;
            if found == key {
                return Some(());
            }
            self.skip_value()?;
            self.eat(b',')?;
        }
    }

    fn enter_array(&mut self, number: usize) -> Option<()> {
        self.eat(b'[')?;
        for _ in 0..number {
            self.skip_value()?;
            self.eat(b',')?;
        }
        (self.peek()? != b']').then_some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        (self.peek()? == b'"').then_some(())?;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ if depth == 0 => {
                    // A number or a word.
                    while self.peek().is_some_and(|byte| !b",]}".contains(&byte)) {
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn places_of_values_are_found() {
        let text = "{ \"a\": [1, \"],\\\"\", {\"b\" : null}],\n  \"\\u0063\"\n:[[ ],7 ] , \"d\":{}}";
        let at = |steps: &[Step<'_>]| locate(text, steps).map(|at| &text[at..=at]);
        assert_eq!(at(&[]), Some("{"));
        assert_eq!(at(&[Step::Key("a")]), Some("["));
        assert_eq!(at(&[Step::Key("a"), Step::Element(2), Step::Key("b")]), Some("n"));
        assert_eq!(at(&[Step::Key("c"), Step::Element(1)]), Some("7"));
        assert_eq!(at(&[Step::Key("d")]), Some("{"));
        for absent in [
            &[Step::Key("e")][..],
            &[Step::Key("a"), Step::Element(3)],
            &[Step::Key("c"), Step::Element(0), Step::Element(0)],
            &[Step::Element(0)],
            &[Step::Key("d"), Step::Key("x")],
        ] {
            assert_eq!(at(absent), None, "{absent:?}");
        }
    }

    #[test]
    fn messages_name_file_line_and_column() {
        let file =
            SettingsFile::from_text(Path::new("x.json"), "\u{feff}{\"\u{e9}\": 1,\n  \"a\": [10, 20]}");
        let message = |steps: &[Step<'_>]| file.error(steps, "no".to_owned()).to_string();
        assert_eq!(message(&[Step::Key("\u{e9}")]), "x.json:1:7: no");
        assert_eq!(message(&[Step::Key("a"), Step::Element(1)]), "x.json:2:13: no");
        // What is absent is looked for as near as can be.
        assert_eq!(message(&[Step::Key("a"), Step::Element(2)]), "x.json:2:8: no");
        assert_eq!(message(&[Step::Key("b")]), "x.json:1:1: no");
    }

    #[test]
    fn files_that_cannot_be_read_are_named() {
        let error = SettingsFile::read(Path::new("/no/such/file.json")).unwrap_err().to_string();
        assert!(error.starts_with("/no/such/file.json: No such file"), "{error}");
        let error = SettingsFile::read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.starts_with("/dev/zero: longer than 65536 bytes"), "{error}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-c\\\\\"{}\\[\\],: \u{e9}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::from),
                btree_map("[a-c\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Checks the place of every value inside of `value`.
    fn check(text: &str, value: &Value, steps: &mut Vec<(Option<String>, usize)>) {
        let path: Vec<Step<'_>> = steps
            .iter()
            .map(|(key, number)| key.as_deref().map_or(Step::Element(*number), Step::Key))
            .collect();
        let at = locate(text, &path).expect("every value has a place");
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        assert_eq!(values.next().unwrap().unwrap(), *value, "{text} at {at}");
        let inside: Vec<(Option<String>, usize, &Value)> = match value {
            Value::Array(elements) => elements.iter().enumerate().map(|(n, v)| (None, n, v)).collect(),
            Value::Object(map) => map.iter().map(|(key, v)| (Some(key.clone()), 0, v)).collect(),
            _ => Vec::new(),
        };
        for (key, number, inner) in inside {
            steps.push((key, number));
            check(text, inner, steps);
            steps.pop();
        }
    }

    proptest! {
        /// The place found is where the parser finds the same value.
        #[test]
        fn every_value_of_any_json_is_found(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            check(&text.unwrap(), &value, &mut Vec::new());
        }

        /// A text that is not JSON does no harm.
        #[test]
        fn any_text_is_survived(text in "[a{}\\[\\]\",:\\\\ \u{e9}]{0,30}") {
            let file = SettingsFile::from_text(Path::new("x"), &text);
            let error = file.error(&[Step::Key("a"), Step::Element(1), Step::Key("a")], String::new());
            prop_assert!(error.place.is_some());
        }
    }
}
