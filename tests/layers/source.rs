//! As much of Rust as it takes to find out what a file imports.

/// What one file says about modules.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Its own module path; empty for lib.rs, `bin` and a name for a program.
    pub(crate) module: Vec<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of modules that are only there for tests, as `jpeg/walk_tests`.
    pub(crate) test_modules: Vec<String>,
}

/// A path that begins at the root of the crate or in `std`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) line: usize,
    pub(crate) path: Vec<String>,
}

/// The module that `file` below `src/` is.
pub(crate) fn module_of(file: &str) -> Vec<String> {
    let mut path: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
        path.pop();
    }
    path
}

impl Source {
    pub(crate) fn read(file: &str, text: &str) -> Self {
        let tokens = tokens(&without_comments_and_strings(text));
        let mut reader =
            Reader { tokens, at: 0, inline: vec![], depth: 0, children: vec![], source: Self::default() };
        reader.source.module = module_of(file);
        reader.file();
        reader.source
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// Blanks out what is not code; lines stay where they are.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'/')) => end_of_line(bytes, at),
            (b'/', Some(b'*')) => end_of_block_comment(bytes, at),
            (b'"', _) => end_of_string(bytes, at),
            (b'r', Some(b'"' | b'#')) if !follows_name(bytes, at) => end_of_raw_string(text, at),
            (b'\'', _) => end_of_char(bytes, at),
            _ => at,
        };
        if end == at {
            // Only ASCII matters; the rest may become anything but a name.
            out.push(if bytes[at].is_ascii() { char::from(bytes[at]) } else { '?' });
            at += 1;
            continue;
        }
        out.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |len| at + len)
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn end_of_raw_string(text: &str, start: usize) -> usize {
    let hashes = text[start + 1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = start + 1 + hashes;
    if text.as_bytes().get(open) != Some(&b'"') {
        return start;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |len| open + 1 + len + close.len())
}

/// A character literal, or nothing if it is a lifetime.
fn end_of_char(bytes: &[u8], start: usize) -> usize {
    if bytes.get(start + 1) == Some(&b'\\') {
        let close = bytes[start + 3..].iter().position(|byte| *byte == b'\'');
        return close.map_or(bytes.len(), |len| start + 3 + len + 1);
    }
    // At most four bytes of UTF-8 between the quotes.
    let close = (start + 2..(start + 6).min(bytes.len())).find(|at| bytes[*at] == b'\'');
    close.filter(|at| *at == start + 2 || !bytes[start + 1].is_ascii()).map_or(start, |at| at + 1)
}

fn follows_name(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// Names, `::`, and everything else byte by byte.
fn tokens(code: &str) -> Vec<Token> {
    let (mut tokens, mut line) = (vec![], 1);
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let len = if is_name(first) {
            rest.find(|c| !is_name(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            1
        };
        line += usize::from(first == '\n');
        if !first.is_whitespace() {
            tokens.push(Token { line, text: rest[..len].to_owned() });
        }
        rest = &rest[len..];
    }
    tokens
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    /// Modules written out in the file, with the depth of braces at which each ends.
    inline: Vec<(String, usize)>,
    depth: usize,
    /// Modules that the file declares.
    children: Vec<String>,
    source: Source,
}

impl Reader {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| &token.text)
    }

    fn file(&mut self) {
        while self.at < self.tokens.len() {
            let path_follows = self.text(1) == "::";
            match self.text(0) {
                "{" => self.depth += 1,
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    self.inline.pop_if(|(_, depth)| *depth == self.depth);
                }
                "#" if self.is_for_tests() => {
                    self.skip_test_item();
                    continue;
                }
                "mod" if self.text(2) == "{" => self.inline.push((self.text(1).to_owned(), self.depth)),
                "mod" if self.text(2) == ";" => self.children.push(self.text(1).to_owned()),
                "use" => {
                    self.at += 1;
                    self.tree(&[], true);
                    continue;
                }
                "crate" | "super" | "self" | "std" | "sealcam" if path_follows && !self.inside_path() => {
                    self.tree(&[], false);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn inside_path(&self) -> bool {
        self.at > 0 && self.tokens[self.at - 1].text == "::"
    }

    /// `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
    fn is_for_tests(&self) -> bool {
        let ahead =
            |from: usize, texts: &[&str]| texts.iter().enumerate().all(|(n, t)| self.text(from + n) == *t);
        ahead(0, &["#", "[", "cfg", "(", "test"]) || ahead(0, &["#", "[", "cfg", "(", "all", "(", "test"])
    }

    /// Skips the attribute and the item behind it, up to its `;` or closing brace.
    fn skip_test_item(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.text(0) {
                "mod" if depth == 0 && self.text(2) == ";" => {
                    let mut path = self.here();
                    path.push(self.text(1).to_owned());
                    self.source.test_modules.push(path.join("/"));
                }
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 && matches!(self.text(0), ";" | "}");
            self.at += 1;
            if ends {
                return;
            }
        }
    }

    fn here(&self) -> Vec<String> {
        let inline = self.inline.iter().map(|(name, _)| name.clone());
        self.source.module.iter().cloned().chain(inline).collect()
    }

    /// Reads a path, or in a `use` a tree of paths, behind `before`.
    fn tree(&mut self, before: &[String], in_use: bool) {
        let mut path = before.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.text(0) {
                "{" if in_use => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | "") {
                        self.tree(&path, in_use);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "}" | "," | ";" | "" => break,
                "::" => {}
                "as" => {
                    self.at += 2;
                    break;
                }
                name => path.push(name.to_owned()),
            }
            self.at += 1;
            if self.text(0) != "::" && (!in_use || self.text(0) != "as") && self.at_end_of_segment() {
                break;
            }
        }
        self.record(line, &path, in_use);
    }

    fn at_end_of_segment(&self) -> bool {
        self.tokens[self.at - 1].text != "::"
    }

    /// Makes a path absolute and keeps it, if it leads anywhere in the crate or into `std`.
    fn record(&mut self, line: usize, path: &[String], in_use: bool) {
        let Some(first) = path.first() else { return };
        let mut full = match first.as_str() {
            "crate" | "sealcam" => vec![],
            "self" | "super" => self.here(),
            "std" => vec!["std".to_owned()],
            child if in_use && self.children.iter().any(|known| known == child) => {
                let mut full = self.here();
                full.push(child.to_owned());
                full
            }
            _ => return,
        };
        let is_up = |name: &String| name == "super";
        for _ in path.iter().filter(|name| is_up(name)) {
            full.pop();
        }
        full.extend(path[1..].iter().filter(|name| !is_up(name) && *name != "self").cloned());
        if !full.is_empty() {
            self.source.imports.push(Import { line, path: full });
        }
    }
}
