//! The scripts with which BullMQ creates a job, known by their keys and arguments.
//!
//! ```text
//! EVALSHA hash 9 bull:mail:wait … bull:mail:marker  head  data  options
//!                ├───────┤ base: prefix and queue     │            └ a MessagePack map
//!                                                     └ a MessagePack array
//! ```
//!
//! A hash says nothing: it differs from version to version. The component looks at the array and
//! the map before it changes anything; here it only must not be somebody else's script.

/// Keys of such a script: 8 in version 4, 11 in version 6; the rest is room.
const KEYS: std::ops::RangeInclusive<usize> = 4..=20;

/// Bytes of prefix and queue.
const BASE_BYTES_MAX: usize = 1024;

/// Keys of the queue that every one of them gets.
const WANTED: [&[u8]; 3] = [b"id", b"events", b"completed"];

/// A call of a script that creates a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Creation<'a> {
    /// Prefix and queue.
    pub base: &'a [u8],
    /// Where the array is among the command's arguments; data and options are behind it.
    pub head_at: usize,
}

impl<'a> Creation<'a> {
    /// Reads `count` arguments, the command's name counted. `None`: it is something else.
    pub(crate) fn of(count: usize, get: impl Fn(usize) -> &'a [u8]) -> Option<Self> {
        let keys: usize = std::str::from_utf8(get(2)).ok()?.parse().ok()?;
        if !KEYS.contains(&keys) || count != keys + 6 {
            return None;
        }
        let first = get(3);
        let base = first.get(..first.iter().rposition(|&byte| byte == b':')?)?;
        if base.is_empty() || base.len() > BASE_BYTES_MAX {
            return None;
        }
        let mut missing = WANTED.len();
        for at in 3..3 + keys {
            let own = get(at).strip_prefix(base)?.strip_prefix(b":")?;
            missing -= usize::from(missing > 0 && WANTED.contains(&own));
        }
        let head_at = keys + 3;
        let is_job = missing == 0 && is_array(get(head_at)) && is_map(get(head_at + 2));
        is_job.then_some(Self { base, head_at })
    }

    /// The queue, as its programs call it. A prefix may have colons, a queue has none.
    pub(crate) fn queue(&self) -> &'a [u8] {
        self.base.rsplit(|&byte| byte == b':').next().unwrap_or_default()
    }
}

/// Answers whether MessagePack that begins like this is an array of nine elements or more.
fn is_array(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x99..=0x9f | 0xdc))
}

/// Answers whether it is a map.
fn is_map(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS_OF_MAIL: [&str; 4] =
        ["bull:mail:wait", "bull:mail:id", "bull:mail:events", "bull:mail:completed"];

    fn of<'a>(number: &'a str, keys: &[&'a str], arguments: &[&'a [u8]]) -> Option<Creation<'a>> {
        let mut all = vec![&b"EVALSHA"[..], b"hash", number.as_bytes()];
        all.extend(keys.iter().map(|key| key.as_bytes()));
        all.extend(arguments);
        Creation::of(all.len(), |at| all.get(at).copied().unwrap_or_default())
    }

    #[test]
    fn a_script_that_creates_a_job_is_known() {
        let job = of("4", &KEYS_OF_MAIL, &[b"\x99", b"{}", b"\x80"]).unwrap();
        assert_eq!((job.base, job.queue(), job.head_at), (&b"bull:mail"[..], &b"mail"[..], 7));
    }

    #[test]
    fn its_neighbours_are_not() {
        let [wait, id, events, completed] = KEYS_OF_MAIL;
        let whole: [&[u8]; 3] = [b"\x99", b"{}", b"\x80"];
        for (number, keys, arguments) in [
            ("4", &[wait, id, events, "bull:other:completed"][..], &whole[..]),
            ("4", &[wait, id, events, "bull:mail:failed"], &whole),
            ("4", &["wait", "id", "events", "completed"], &whole),
            ("3", &[id, events, completed], &whole),
            ("x", &KEYS_OF_MAIL, &whole),
            ("-1", &KEYS_OF_MAIL, &whole),
            ("18446744073709551615", &KEYS_OF_MAIL, &whole),
            ("4", &KEYS_OF_MAIL, &[b"\x99", b"{}"]),
            ("4", &KEYS_OF_MAIL, &[b"\x99", b"{}", b"\x80", b"more"]),
            ("4", &KEYS_OF_MAIL, &[b"[]", b"{}", b"\x80"]),
            ("4", &KEYS_OF_MAIL, &[b"\x99", b"{}", b"{}"]),
            ("4", &KEYS_OF_MAIL, &[b"", b"", b""]),
        ] {
            assert_eq!(of(number, keys, arguments), None, "{number} {keys:?} {arguments:?}");
        }
    }
}
