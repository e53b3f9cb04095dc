//! Splitting a control line into arguments, eight bytes at a time.
//!
//! This runs for every message in both directions and is most of what a message costs here.
//! Bytes up to 0x20 are rare in a line, so a word is searched for them first, and only what is
//! found is looked at.

use super::error::Error;
use crate::Extent;

/// One more than any operation takes, so that one too many is noticed.
const ARGUMENTS_MAX: usize = 6;

const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);
const HIGH_BIT: u64 = u64::from_ne_bytes([0x80; 8]);
/// What takes a byte of 0x21 or more, and no other, to its high bit.
const PAST_BLANK: u64 = u64::from_ne_bytes([0x80 - 0x21; 8]);

/// The arguments of one line.
#[derive(Default)]
pub(super) struct Arguments {
    places: [Extent; ARGUMENTS_MAX],
    count: usize,
}

impl Arguments {
    /// Splits what follows the operation's name. Extents refer to `line`.
    #[inline(always)]
    pub(super) fn split(line: &[u8], name_end: usize) -> Result<Self, Error> {
        let mut splitter = Splitter { line, arguments: Self::default(), start: name_end };
        let mut at = name_end;
        let mut rest = line.get(name_end..).unwrap_or_default();
        while let Some((word, behind)) = rest.split_first_chunk::<8>() {
            splitter.each_blank(u64::from_le_bytes(*word), at)?;
            at = at.saturating_add(word.len());
            rest = behind;
        }
        splitter.last_word(rest.len(), at)?;
        splitter.end_argument(line.len());
        Ok(splitter.arguments)
    }

    pub(super) fn as_slice(&self) -> &[Extent] {
        self.places.get(..self.count).unwrap_or_default()
    }

    pub(super) fn wrong_count(&self) -> Error {
        Error::ArgumentCount { found: u8::try_from(self.count).unwrap_or(u8::MAX) }
    }
}

struct Splitter<'a> {
    line: &'a [u8],
    arguments: Arguments,
    /// Where the argument starts that has not ended yet.
    start: usize,
}

impl Splitter<'_> {
    /// Ends arguments at the blanks among eight bytes, of which the first stands at `at`.
    #[inline(always)]
    fn each_blank(&mut self, word: u64, at: usize) -> Result<(), Error> {
        // No byte carries into the next one: 0x7f + 0x5f is less than 0x100.
        let past = (word & LOW_BITS).wrapping_add(PAST_BLANK) | word;
        let mut found = !past & HIGH_BIT;
        while found != 0 {
            let byte = (found.trailing_zeros() / 8) as usize;
            self.blank(at.saturating_add(byte))?;
            found &= found.wrapping_sub(1);
        }
        Ok(())
    }

    /// The same for the last bytes of the line, of which there are fewer than eight.
    #[inline(always)]
    fn last_word(&mut self, len: usize, at: usize) -> Result<(), Error> {
        let missing = 8_usize.saturating_sub(len);
        if let Some(word) = self.line.last_chunk::<8>()
            && len > 0
        {
            // The word starts before `at`: move its end to the front, and fill up with ones,
            // which are no blanks.
            let shift = u32::try_from(missing.saturating_mul(8)).unwrap_or(0);
            let fill = !u64::MAX.wrapping_shr(shift);
            return self.each_blank(u64::from_le_bytes(*word).wrapping_shr(shift) | fill, at);
        }
        for place in at..at.saturating_add(len) {
            if self.line.get(place).is_some_and(|&byte| byte <= b' ') {
                self.blank(place)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn blank(&mut self, at: usize) -> Result<(), Error> {
        match self.line.get(at) {
            Some(b' ' | b'\t') => {
                self.end_argument(at);
                self.start = at.saturating_add(1);
                Ok(())
            }
            Some(b'\r') => Err(Error::ControlLineReturn),
            // Every other control character is part of an argument.
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn end_argument(&mut self, end: usize) {
        let Arguments { places, count } = &mut self.arguments;
        if end > self.start
            && let Some(place) = places.get_mut(*count)
        {
            *place = Extent::between(self.start, end);
            *count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Result<Vec<&str>, Error> {
        let arguments = Arguments::split(line.as_bytes(), 0)?;
        Ok(arguments.as_slice().iter().map(|place| &line[place.range()]).collect())
    }

    #[test]
    fn arguments_are_what_stands_between_blanks() {
        let lines = ["", " ", "a", " a ", "a b", "\t a\t\tbb  ccc \t", "orders.new _INBOX.x 12 17"];
        for line in lines {
            let wanted: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            assert_eq!(split(line), Ok(wanted), "{line:?}");
        }
    }

    #[test]
    fn every_place_in_every_word_is_seen() {
        for len in 0..40 {
            for at in 0..len {
                let mut line = vec![0xff_u8; len];
                line[at] = b' ';
                let found = Arguments::split(&line, 0).unwrap();
                let covered: u32 = found.as_slice().iter().map(|place| place.len()).sum();
                assert_eq!(covered as usize, len - 1, "{at} of {len}");
                line[at] = b'\r';
                let refused = Arguments::split(&line, 0).map(|found| found.count);
                assert_eq!(refused, Err(Error::ControlLineReturn), "{at} of {len}");
                line[at] = 0;
                assert_eq!(Arguments::split(&line, 0).unwrap().count, 1, "{at} of {len}");
            }
        }
    }

    #[test]
    fn one_argument_too_many_is_counted_and_no_more() {
        assert_eq!(split("a b c d e").unwrap().len(), 5);
        assert_eq!(split("a b c d e f").unwrap().len(), 6);
        assert_eq!(split("a b c d e f g h").unwrap().len(), 6);
    }
}
