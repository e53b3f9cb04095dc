//! Times as programs write them into bodies: RFC 3339, section 5.6, with up to nine digits of a
//! second.
//!
//! ```text
//! 2026-11-27T04:50:44.624420+00:00
//! 0    5  8  11 14 17 19
//! ```
//!
//! Read by position. Without an offset it could be any time of a day, so it is none.

const SECONDS_OF_DAY: i64 = 86_400;

/// Nanoseconds since the Unix epoch. `None`: it is no time, or one before 1970 or after 2554.
pub(crate) fn unix_nanos(text: &[u8]) -> Option<u64> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| date_time[at] != byte) {
        return None;
    }
    let [year, month, day] = [0..4, 5..7, 8..10].map(|at| number(&date_time[at]));
    let days = days_since_epoch(year?, month?, day?)?;
    let [hour, minute, second] = [11..13, 14..16, 17..19].map(|at| number(&date_time[at]));
    let (hour, minute, second) = (hour?, minute?, second?);
    // A leap second is 60; it is as good as the second that follows.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, offset) = fraction(rest)?;
    let local = days * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
    let seconds = u64::try_from(local - seconds_of(offset)?).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Decimal digits and nothing else; nobody asks for more than nine.
fn number(digits: &[u8]) -> Option<i64> {
    let add = |sum: i64, byte: &u8| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte & 15));
    digits.iter().try_fold(0, add)
}

/// The nanoseconds of `.624420942`, if that is there, and what follows it.
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else { return Some((0, text)) };
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let nanos = (digits.len()..9).fold(number(digits)?, |nanos, _| nanos * 10);
    Some((u64::try_from(nanos).ok()?, rest))
}

/// Seconds of `Z` or `+01:00`.
fn seconds_of(offset: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match offset {
        b"Z" => return Some(0),
        [b'+', h1, h2, b':', m1, m2] => (1, [*h1, *h2], [*m1, *m2]),
        [b'-', h1, h2, b':', m1, m2] => (-1, [*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days of the Gregorian calendar since 1970-01-01; negative before it. `None`: there is no such
/// day.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if is_leap { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (before, this) = months.split_at_checked(usize::try_from(month - 1).ok()?)?;
    if !(1..=*this.first()?).contains(&day) {
        return None;
    }
    let past = year - 1;
    // Leap days up to the last year; 477 of them are before 1970.
    let leap_days = past / 4 - past / 100 + past / 400 - 477;
    Some((year - 1970) * 365 + leap_days + before.iter().sum::<i64>() + day - 1)
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
            ("2024-12-31T00:00:00.5+00:00", 1_735_603_200_500_000_000),
            ("2026-11-23T06:05:25.03928177+01:00", 1_795_410_325_039_281_770),
            ("2026-11-22T23:35:25.03928177-05:30", 1_795_410_325_039_281_770),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(unix_nanos(text.as_bytes()), Some(expected), "{text}");
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
            "2026-11-00T05:05:25Z",
            "2026-11-23T24:05:25Z",
            "2026-11-23T05:60:25Z",
            "2026-11-23T05:05:61Z",
            "+026-11-23T05:05:25Z",
            "2026-11-23T05:05:25+1:00",
            "2026-11-23T05:05:25*01:00",
            "2026-11-23T05:05:25+24:00",
            "2026-11-23T05:05:25+01:60",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(unix_nanos(text.as_bytes()), None, "{text}");
        }
    }
}
