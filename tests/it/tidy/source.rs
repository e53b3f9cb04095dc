//! Just enough Rust to count lines of functions and to look for words in code.

/// The text with every comment, string and character blanked; length and line ends stay.
pub(crate) fn code_of(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(is_word);
        let blank = match first {
            '/' => comment(rest),
            '"' => string(rest, '"'),
            '\'' => character(rest),
            'r' | 'b' | 'c' if !after_word => prefixed_string(rest),
            _ => None,
        };
        match blank {
            Some(len) => {
                code.extend(rest[..len].chars().map(|c| if c == '\n' { c } else { ' ' }));
                rest = &rest[len..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

/// Length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    // Block comments nest.
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return Some(at);
        }
    }
    Some(text.len())
}

/// Length of the quoted text that `text` begins with, escapes included.
fn string(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Length of `r"…"`, `br#"…"#`, `b"…"`, `c"…"`, `b'…'`.
fn prefixed_string(text: &str) -> Option<usize> {
    let prefix = text.find(|c| !matches!(c, 'r' | 'b' | 'c'))?;
    let rest = &text[prefix..];
    let hashes = rest.find(|c| c != '#')?;
    if !text[..prefix].contains('r') {
        let len = match rest.chars().next()? {
            '"' => string(rest, '"')?,
            '\'' => character(rest)?,
            _ => return None,
        };
        return Some(prefix + len);
    }
    let open = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let end = open.find(&close).map_or(open.len(), |at| at + close.len());
    Some(prefix + hashes + 1 + end)
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut after = text.char_indices().skip(1);
    let (_, first) = after.next()?;
    if first == '\\' {
        return string(text, '\'');
    }
    let (at, second) = after.next()?;
    (second == '\'').then_some(at + 1)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Answers whether `word` stands in `code` as a whole word.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word)
    })
}

/// A function with a body: its name, the line it begins on (from 1), and how many it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The functions in blanked `code`; those nested in another are also counted in it.
pub(crate) fn functions(code: &str) -> Vec<Function<'_>> {
    let mut functions = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let name = code[at + 3..].split(|c| !is_word(c)).next().unwrap_or_default();
        if name.is_empty() || code[..at].ends_with(is_word) {
            continue;
        }
        if let Some(len) = body_end(&code[at..]) {
            let line = code[..at].matches('\n').count() + 1;
            let lines = code[at..at + len].matches('\n').count() + 1;
            functions.push(Function { name, line, lines });
        }
    }
    functions
}

/// Where the body ends of the function that `code` begins with; `None` when it has no body.
fn body_end(code: &str) -> Option<usize> {
    let (mut around, mut braces) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => around += 1,
            ')' | ']' => around -= 1,
            ';' if around == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 && around == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
