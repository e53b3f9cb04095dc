//! Lines of a stream, with a limit on their length.

use std::io::{self, BufRead, Read};

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end. The last one need not have one.
    Whole,
    /// A line of more than the limit, which was skipped.
    TooLong,
    /// Nothing more comes.
    End,
}

/// Reads the next line into `line`, which holds at most `bytes_max` bytes and a line end.
pub(super) fn next_line(
    input: &mut dyn BufRead,
    line: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Line> {
    line.clear();
    // One byte for the line end.
    let mut bounded = input.take(bytes_max as u64 + 1);
    if bounded.read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    if line.len() <= bytes_max {
        return Ok(Line::Whole);
    }
    skip_line(input)?;
    Ok(Line::TooLong)
}

/// Skips to behind the next line end, without keeping anything.
fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let (skipped, done) = match end {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(skipped);
        if done {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The lines of a text, read through a buffer of three bytes; `None` for one too long.
    fn lines(text: &str, bytes_max: usize) -> Vec<Option<String>> {
        let mut input = BufReader::with_capacity(3, text.as_bytes());
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        loop {
            match next_line(&mut input, &mut line, bytes_max).unwrap() {
                Line::End => return lines,
                Line::Whole => lines.push(Some(String::from_utf8(line.clone()).unwrap())),
                Line::TooLong => lines.push(None),
            }
        }
    }

    #[test]
    fn lines_end_with_a_line_end_or_with_the_stream() {
        let whole = |lines: &[&str]| lines.iter().map(|&l| Some(l.to_owned())).collect::<Vec<_>>();
        for (text, expected) in [
            ("", whole(&[])),
            ("a", whole(&["a"])),
            ("a\n", whole(&["a"])),
            ("a\n\nb", whole(&["a", "", "b"])),
        ] {
            assert_eq!(lines(text, 8), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_past_the_limit_is_skipped_and_the_next_one_is_read() {
        for (text, expected) in [
            ("12345678\nb", [Some("12345678".to_owned()), Some("b".to_owned())]),
            ("123456789\nb", [None, Some("b".to_owned())]),
            ("12345678901234567890\nb\n", [None, Some("b".to_owned())]),
        ] {
            assert_eq!(lines(text, 8), expected, "{text:?}");
        }
        assert_eq!(lines("123456789", 8), [None]);
    }
}
