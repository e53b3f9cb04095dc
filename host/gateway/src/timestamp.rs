//! Times as programs write them: RFC 3339 with up to nine digits of a second.
//!
//! ```text
//! 2026-11-27T04:50:44.624420942Z      2026-11-27T05:50:44.6+01:00
//! ```
//!
//! NATS servers and Celery write the offset of their time zone where that is not UTC.

const SECONDS_OF_DAY: i64 = 86_400;

/// Digits of a second that OTLP can hold.
const FRACTION_DIGITS_MAX: usize = 9;

/// Nanoseconds since the Unix epoch. `None`: it is no time, or one before 1970 or after 2554.
pub(crate) fn unix_nanos(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let date_time = bytes.get(..19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| date_time[at] != byte) {
        return None;
    }
    let field = |at: usize, length: usize| number(&date_time[at..at + length]);
    let (year, month, day) = (field(0, 4)?, field(5, 2)?, field(8, 2)?);
    let (hour, minute, second) = (field(11, 2)?, field(14, 2)?, field(17, 2)?);
    // A leap second is 60; it is as good as the second that follows.
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day < 1 || day > days_of_month(year, month) {
        return None;
    }
    let (nanos, rest) = fraction(&bytes[19..])?;
    let local =
        days_since_epoch(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
    let seconds = u64::try_from(local - offset(rest)?).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Decimal digits and nothing else; there are at most nine.
fn number(digits: &[u8]) -> Option<i64> {
    let digit = |sum: i64, byte: &u8| Some(sum * 10 + i64::from(byte.checked_sub(b'0')?));
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().try_fold(0, digit))?
}

/// The nanoseconds of `.624420942`, if that is there, and what follows it.
fn fraction(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let Some(rest) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = rest.split_at(end);
    if digits.len() > FRACTION_DIGITS_MAX {
        return None;
    }
    let missing = FRACTION_DIGITS_MAX - digits.len();
    let nanos = (0..missing).fold(number(digits)?, |nanos, _| nanos * 10);
    Some((u64::try_from(nanos).ok()?, rest))
}

/// Seconds of `Z` or `+01:00`.
fn offset(bytes: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *bytes {
        [b'Z'] => return Some(0),
        [sign, ref hours @ .., b':', _, _] if hours.len() == 2 => (sign, hours, &bytes[4..]),
        _ => return None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar since 1970-01-01; negative before it.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    // Days of all years from the year 1 up to the one before; 719 162 of them precede 1970.
    let years = before * 365 + before / 4 - before / 100 + before / 400 - 719_162;
    let months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_to_the_nanosecond_and_in_any_zone() {
        // Seconds as `date -u +%s -d …` of GNU coreutils answers them.
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-23T05:05:25.03928177Z", 1_795_410_325_039_281_770),
            ("2000-02-29T23:59:59.999999999Z", 951_868_799_999_999_999),
            ("2024-12-31T00:00:00.5Z", 1_735_603_200_500_000_000),
            ("2026-11-23T06:05:25.03928177+01:00", 1_795_410_325_039_281_770),
            ("2026-11-22T23:35:25.03928177-05:30", 1_795_410_325_039_281_770),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(unix_nanos(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T05:05:25",
            "2026-11-23 05:05:25Z",
            "2026-11-23T05:05:25.Z",
            "2026-11-23T05:05:25.0123456789Z",
            "2026-11-23T05:05:25.1",
            "2026-13-23T05:05:25Z",
            "2026-00-23T05:05:25Z",
            "2026-02-29T05:05:25Z",
            "2026-11-31T05:05:25Z",
            "2026-11-00T05:05:25Z",
            "2026-11-23T24:05:25Z",
            "2026-11-23T05:60:25Z",
            "2026-11-23T05:05:61Z",
            "+026-11-23T05:05:25Z",
            "2026-11-23T05:05:25+1:00",
            "2026-11-23T05:05:25*01:00",
            "2026-11-23T05:05:25+24:00",
            "2026-11-23T05:05:25+01:60",
            "2026-11-23T05:05:25ZZ",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
            "2026-11-23T05:05:2\u{e9}Z",
        ] {
            assert_eq!(unix_nanos(text), None, "{text}");
        }
    }
}
