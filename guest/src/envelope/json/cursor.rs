//! The grammar: a place in the text that moves over one value at a time.
//!
//! Productions are named as in RFC 8259, quoted where the code follows them. What was read is a
//! value or nothing; see the [module](super).
//!
//! What is common is read in line, on a copy of the cursor that stays in registers: strings of
//! ASCII without escapes, whole numbers, no white space between tokens or one space. What is not
//! takes a call, which answers the place where it ends.

use super::word::{self, End};
use super::{DEPTH_MAX, Extent, Value};

/// A place in the text. INVARIANT: `at <= bytes.len()`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The whole text.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The offset that was reached.
    pub(super) fn at(self) -> usize {
        self.at
    }

    #[inline(always)]
    fn peek(self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Steps over a byte that was looked at.
    #[inline(always)]
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.step())
    }

    /// Goes to the next byte that is no white space, and answers it; `None`: there is none.
    #[inline(always)]
    pub(super) fn token(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        if byte > b' ' {
            return Some(byte);
        }
        if byte == b' '
            && let Some(&next) = self.bytes.get(self.at + 1)
            && next > b' '
        {
            self.at += 1;
            return Some(next);
        }
        self.at = self.space();
        self.peek()
    }

    /// `ws = *( %x20 / %x09 / %x0A / %x0D )`
    #[inline(never)]
    fn space(mut self) -> usize {
        loop {
            // Indentation.
            while self.bytes[self.at..].starts_with(&[b' '; 8]) {
                self.at += 8;
            }
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                _ => return self.at,
            }
        }
    }

    /// A member's name, from its quote to where its value begins: `string name-separator`.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Option<Value> {
        let start = self.at;
        self.expect(b'"')?;
        let has_escapes = self.string()?;
        let at = Extent { start, end: self.at };
        if self.token()? != b':' {
            return None;
        }
        self.step();
        self.token()?;
        Some(Value { at, first: b'"', has_escapes })
    }

    /// One value, however much is nested in it, inside of `depth` containers.
    #[inline(always)]
    pub(super) fn value(&mut self, depth: u32) -> Option<Value> {
        let start = self.at;
        let first = self.peek()?;
        let mut has_escapes = false;
        match first {
            b'"' => {
                self.step();
                has_escapes = self.string()?;
            }
            b'{' | b'[' => self.at = self.container(depth)?,
            _ => self.scalar(first)?,
        }
        Some(Value { at: Extent { start, end: self.at }, first, has_escapes })
    }

    /// An object or an array that begins here, and all that is nested in it.
    #[inline(never)]
    fn container(mut self, depth: u32) -> Option<usize> {
        // The kinds of the open containers: the lowest bit is the innermost, 1 is an object. Above
        // them all is a 1 that is none of them, and above that as many zeros as more may be opened
        // beside those `depth`, which are one at least.
        let mut open = 1_u64;
        loop {
            if open & 1 == 1 && open != 1 {
                self.name()?;
            }
            match self.peek()? {
                b'"' => {
                    self.step();
                    self.string()?;
                }
                first @ (b'{' | b'[') => {
                    if open.leading_zeros() < depth {
                        return None;
                    }
                    open = open << 1 | u64::from(first == b'{');
                    self.step();
                    if self.token()? != end_of_innermost(open) {
                        continue;
                    }
                }
                first => self.scalar(first)?,
            }
            let mut next = self.token()?;
            self.step();
            while next != b',' {
                if next != end_of_innermost(open) {
                    return None;
                }
                open >>= 1;
                if open == 1 {
                    return Some(self.at);
                }
                next = self.token()?;
                self.step();
            }
            self.token()?;
        }
    }

    /// A literal, or a number, that begins with `first`.
    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'n' => self.literal(b"null"),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            _ => self.number(first),
        }
    }

    #[inline(always)]
    fn literal<const N: usize>(&mut self, word: &[u8; N]) -> Option<()> {
        let found = self.bytes.get(self.at..)?.first_chunk() == Some(word);
        found.then(|| self.at += N)
    }

    /// `number = [ minus ] int [ frac ] [ exp ]`; something follows it, for it is in an object.
    #[inline(always)]
    fn number(&mut self, mut first: u8) -> Option<()> {
        if first == b'-' {
            self.step();
            first = self.peek()?;
        }
        let next = match first {
            b'0' => {
                self.step();
                self.peek()?
            }
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        };
        if matches!(next, b'.' | b'e' | b'E') {
            self.at = self.fraction()?;
        }
        Some(())
    }

    /// The byte behind digits, of which the first was looked at.
    #[inline(always)]
    fn digits(&mut self) -> Option<u8> {
        self.step();
        let mut byte = self.peek()?;
        while byte.is_ascii_digit() {
            self.step();
            byte = self.peek()?;
        }
        Some(byte)
    }

    /// `[ frac ] [ exp ]`, of which one is there.
    #[inline(never)]
    fn fraction(mut self) -> Option<usize> {
        let mut next = self.peek()?;
        if next == b'.' {
            self.step();
            next = self.some_digits()?;
        }
        if matches!(next, b'e' | b'E') {
            self.step();
            if matches!(self.peek()?, b'+' | b'-') {
                self.step();
            }
            self.some_digits()?;
        }
        Some(self.at)
    }

    /// `1*DIGIT`; answers the byte behind them.
    fn some_digits(&mut self) -> Option<u8> {
        if self.peek()?.is_ascii_digit() { self.digits() } else { None }
    }

    /// A string, from the byte behind its first quote. Answers whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Option<bool> {
        match word::end(self.bytes.get(self.at..)?) {
            End::Quote(len) => {
                self.at += len + 1;
                Some(false)
            }
            End::Unknown(len) => {
                let (at, has_escapes) = self.any_string(len)?;
                self.at = at;
                Some(has_escapes)
            }
        }
    }

    /// A string of any kind, from the byte behind its first quote; the first `plain` bytes of it
    /// are known to be plain ASCII. Answers where it ends, and whether it has escapes.
    #[inline(never)]
    fn any_string(mut self, plain: usize) -> Option<(usize, bool)> {
        let start = self.at;
        self.at += plain;
        let (mut is_ascii, mut has_escapes) = (true, false);
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.step();
                    self.escape()?;
                    has_escapes = true;
                }
                0..0x20 => return None,
                _ => {
                    let plain = word::plain(&self.bytes[self.at..]);
                    is_ascii &= plain.is_ascii;
                    self.at += plain.len;
                }
            }
        }
        if !is_ascii {
            core::str::from_utf8(&self.bytes[start..self.at]).ok()?;
        }
        Some((self.at + 1, has_escapes))
    }

    /// What may follow a backslash.
    #[inline(always)]
    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.step();
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes[self.at..].first_chunk::<4>()?;
                self.at += digits.len();
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }
}

// Beside the body's object, which is none of them, one for each bit below the mark of the stack.
const _: () = assert!(DEPTH_MAX == u64::BITS);

/// What ends the innermost of the open containers.
#[inline(always)]
fn end_of_innermost(open: u64) -> u8 {
    if open & 1 == 1 { b'}' } else { b']' }
}
