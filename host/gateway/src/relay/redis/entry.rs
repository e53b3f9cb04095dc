//! Stream entries: their ids, and what they are called in the process.
//!
//! ```text
//! id    1763900000000-0       milliseconds, and a number among those of one
//! key   1 │ listener │ database │ stream's length │ stream │ group │ id     of open spans
//! ```

/// Milliseconds from which on an id is taken for a time: September 2001. Producers that choose ids
/// themselves count from one.
const TIME_MS_MIN: u64 = 1_000_000_000_000;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// The first byte of a key. Those of the other protocols begin with a zero or a letter.
const KEY_MARK: u8 = 1;

/// The id of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryId {
    ms: u64,
    number: u64,
}

impl EntryId {
    /// Reads an id. One without a number has the number zero, as Redis reads it. `None`: it is
    /// none, or stands for several.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let dash = text.iter().position(|byte| *byte == b'-').unwrap_or(text.len());
        let (ms, rest) = text.split_at(dash);
        let number = rest.split_first().map_or(Some(0), |(_, digits)| number(digits));
        Some(Self { ms: self::number(ms)?, number: number? })
    }

    /// When the entry was added, in nanoseconds since the Unix epoch; 0: the id does not say.
    pub(super) fn published(self) -> u64 {
        time(self.ms)
    }
}

/// A number without a sign. `None`: it is none, or larger than those of Redis.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { value.checked_mul(10)?.checked_add(digit.into()) } else { None }
    })
}

/// A number of milliseconds as a time, in nanoseconds since the Unix epoch; 0: it is none.
pub(super) fn time(ms: u64) -> u64 {
    let time = ms.checked_mul(NANOSECONDS_PER_MILLISECOND);
    time.filter(|_| ms >= TIME_MS_MIN).unwrap_or(0)
}

/// A group of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) listener: u64,
    pub(super) database: u64,
    pub(super) stream: &'a [u8],
    pub(super) name: &'a [u8],
}

impl Group<'_> {
    /// Appends what an entry is called when it is delivered to this group.
    pub(super) fn write_key(&self, id: EntryId, key: &mut Vec<u8>) {
        self.write(key);
        key.extend_from_slice(&id.ms.to_be_bytes());
        key.extend_from_slice(&id.number.to_be_bytes());
    }

    /// Appends what a consumer of this group is called.
    pub(super) fn write_consumer(&self, consumer: &[u8], key: &mut Vec<u8>) {
        self.write(key);
        key.push(0);
        key.extend_from_slice(consumer);
    }

    fn write(&self, key: &mut Vec<u8>) {
        key.push(KEY_MARK);
        key.extend_from_slice(&self.listener.to_be_bytes());
        key.extend_from_slice(&self.database.to_be_bytes());
        // So that no end of a stream's name is taken for the beginning of a group's.
        key.extend_from_slice(&(self.stream.len() as u64).to_be_bytes());
        key.extend_from_slice(self.stream);
        key.extend_from_slice(self.name);
    }
}

/// Answers whether a stream carries no work: the events that BullMQ tells whoever listens.
pub(super) fn is_control(stream: &[u8]) -> bool {
    stream.starts_with(b"bull:") && stream.ends_with(b":events")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        let id = |ms, number| Some(EntryId { ms, number });
        for (text, expected) in [
            ("1763900000000-3", id(1_763_900_000_000, 3)),
            ("5", id(5, 0)),
            ("18446744073709551615-18446744073709551615", id(u64::MAX, u64::MAX)),
            ("18446744073709551616-0", None),
            ("5-*", None),
            ("*", None),
            (">", None),
            ("$", None),
            ("+5-0", None),
            ("5-+0", None),
            ("5-0-0", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(EntryId::parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn an_id_is_a_time_only_where_it_looks_like_one() {
        let published = |text: &str| EntryId::parse(text.as_bytes()).unwrap().published();
        assert_eq!(published("1763900000000-3"), 1_763_900_000_000_000_000);
        assert_eq!(published("7-1"), 0);
        assert_eq!(published("18446744073709551615-0"), 0);
    }

    #[test]
    fn an_entry_is_known_by_listener_database_stream_group_and_id() {
        let group = Group { listener: 1, database: 0, stream: b"ab", name: b"c" };
        let id = EntryId { ms: 5, number: 0 };
        let key = |group: Group<'_>, id| {
            let mut key = Vec::new();
            group.write_key(id, &mut key);
            key
        };
        for other in [
            key(Group { listener: 2, ..group }, id),
            key(Group { database: 1, ..group }, id),
            key(Group { stream: b"a", name: b"bc", ..group }, id),
            key(Group { name: b"d", ..group }, id),
            key(group, EntryId { ms: 5, number: 1 }),
        ] {
            assert_ne!(key(group, id), other);
        }
        assert_eq!(key(group, id), key(group, EntryId::parse(b"5").unwrap()));
    }

    #[test]
    fn only_event_streams_of_bullmq_are_control() {
        assert!(is_control(b"bull:mail:events"));
        assert!(!is_control(b"bull:mail") && !is_control(b"orders:events"));
    }
}
