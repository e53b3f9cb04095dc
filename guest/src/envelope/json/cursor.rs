//! The grammar: a place in the body that moves over one value at a time.
//!
//! Productions are named as in RFC 8259, quoted where the code follows them. What was read is an
//! extent or nothing; see the [module](super).

use super::{DEPTH_MAX, Extent};

/// The kinds of the open containers: the lowest bit is the innermost, 1 is an object.
#[derive(Debug)]
struct Stack {
    objects: u64,
    /// Containers opened by this value.
    own: u32,
    /// How many it may open.
    max: u32,
}

impl Stack {
    fn push(&mut self, object: bool) -> Option<()> {
        if self.own >= self.max {
            return None;
        }
        self.objects = self.objects << 1 | u64::from(object);
        self.own += 1;
        Some(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.own -= 1;
    }

    /// Answers whether the innermost container is an object; `None` when none is open.
    fn innermost_is_object(&self) -> Option<bool> {
        (self.own > 0).then_some(self.objects & 1 == 1)
    }
}

/// A place in the body. INVARIANT: `at <= bytes.len()`.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.take()? == byte).then_some(())
    }

    /// Steps over `byte` if it comes next.
    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// `ws = *( %x20 / %x09 / %x0A / %x0D )`
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// A member's name, up to where its value begins: `string name-separator`.
    pub(super) fn name(&mut self) -> Option<Extent> {
        let name = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        Some(name)
    }

    /// One value, however much is nested in it.
    pub(super) fn value(&mut self, depth: u32) -> Option<Extent> {
        let start = self.at;
        let mut stack = Stack { objects: 0, own: 0, max: DEPTH_MAX.saturating_sub(depth) };
        loop {
            let opened = self.begin(&mut stack)?;
            if !opened && !self.finish(&mut stack)? {
                return Some(Extent { start, end: self.at });
            }
        }
    }

    /// Reads a scalar or an empty container whole, or goes to the first value inside a container
    /// and answers `true`.
    fn begin(&mut self, stack: &mut Stack) -> Option<bool> {
        match self.peek()? {
            b'"' => self.string().map(|_| false),
            b'{' => {
                self.at += 1;
                stack.push(true)?;
                self.space();
                if self.skip(b'}') {
                    stack.pop();
                    return Some(false);
                }
                self.name().map(|_| true)
            }
            b'[' => {
                self.at += 1;
                stack.push(false)?;
                self.space();
                if self.skip(b']') {
                    stack.pop();
                    return Some(false);
                }
                Some(true)
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number().map(|()| false),
        }
    }

    /// Goes on from the end of a value: closes containers until a comma leads to the next value
    /// (`true`) or the outermost value has ended (`false`).
    fn finish(&mut self, stack: &mut Stack) -> Option<bool> {
        while let Some(object) = stack.innermost_is_object() {
            self.space();
            match (self.take()?, object) {
                (b',', true) => {
                    self.space();
                    return self.name().map(|_| true);
                }
                (b',', false) => {
                    self.space();
                    return Some(true);
                }
                (b'}', true) | (b']', false) => stack.pop(),
                _ => return None,
            }
        }
        Some(false)
    }

    fn literal(&mut self, word: &[u8]) -> Option<bool> {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found.then_some(false)
    }

    /// `number = [ minus ] int [ frac ] [ exp ]`
    fn number(&mut self) -> Option<()> {
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        // Most numbers are whole: one look decides.
        if !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Some(());
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        if self.skip(b'e') || self.skip(b'E') {
            let _sign = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        Some(())
    }

    /// `1*DIGIT`
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// A string; the extent has its quotes.
    fn string(&mut self) -> Option<Extent> {
        let start = self.at;
        self.expect(b'"')?;
        let mut ascii = true;
        loop {
            ascii &= self.plain();
            match self.take()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _control => return None,
            }
        }
        let extent = Extent { start, end: self.at };
        let text = ascii || core::str::from_utf8(extent.of(self.bytes)).is_ok();
        text.then_some(extent)
    }

    /// Steps over what needs no attention in a string: everything but a quote, a backslash and a
    /// control character. Answers `false` when a byte beyond ASCII may have been among it.
    pub(super) fn plain(&mut self) -> bool {
        let mut high = 0;
        while let Some(&chunk) = self.bytes[self.at..].first_chunk() {
            let word = u64::from_le_bytes(chunk);
            high |= word & HIGH_BITS;
            let special = specials(word);
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return high == 0;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek() {
            if byte < 0x20 || byte == b'"' || byte == b'\\' {
                break;
            }
            high |= u64::from(byte) & HIGH_BITS;
            self.at += 1;
        }
        high == 0
    }

    /// What may follow a backslash.
    fn escape(&mut self) -> Option<()> {
        match self.take()? {
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

/// The top bit of each byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// The lowest bit of each byte of a word.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Marks the bytes of `word` that end a run of plain text: `"`, `\` and control characters.
///
/// The lowest mark is exact. Marks above it may be false, because a subtraction borrows from the
/// bytes above a hit, and only from those; callers look at the lowest alone.
fn specials(word: u64) -> u64 {
    let below = |word: u64, limit: u8| word.wrapping_sub(LOW_BITS * u64::from(limit)) & !word;
    let equal = |byte: u8| below(word ^ (LOW_BITS * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGH_BITS
}
