//! The operations of the NATS client protocol, and how to tell them apart.
//!
//! An operation is recognised as nats-server does it: without case, and where arguments follow,
//! by the blank behind it. `CONNECT` and `INFO` take their JSON without a blank too, and whatever
//! follows `PING`, `PONG` or `+OK` on the line is ignored.

/// What a control line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Connect,
    Info,
    Pub,
    Hpub,
    Msg,
    Hmsg,
    Sub,
    Unsub,
    Ping,
    Pong,
    Ok,
    Err,
}

/// Who sends the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Broker,
}

/// Name, and whether a blank has to follow it.
type Name = (&'static [u8], Blank, Operation);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blank {
    Needed,
    Optional,
}

const CLIENT: [Name; 7] = [
    (b"PUB", Blank::Needed, Operation::Pub),
    (b"HPUB", Blank::Needed, Operation::Hpub),
    (b"SUB", Blank::Needed, Operation::Sub),
    (b"UNSUB", Blank::Needed, Operation::Unsub),
    (b"PING", Blank::Optional, Operation::Ping),
    (b"PONG", Blank::Optional, Operation::Pong),
    (b"CONNECT", Blank::Optional, Operation::Connect),
];

const BROKER: [Name; 7] = [
    (b"MSG", Blank::Needed, Operation::Msg),
    (b"HMSG", Blank::Needed, Operation::Hmsg),
    (b"PING", Blank::Optional, Operation::Ping),
    (b"PONG", Blank::Optional, Operation::Pong),
    (b"+OK", Blank::Optional, Operation::Ok),
    (b"-ERR", Blank::Needed, Operation::Err),
    (b"INFO", Blank::Optional, Operation::Info),
];

impl Sender {
    const fn names(self) -> &'static [Name] {
        match self {
            Self::Client => &CLIENT,
            Self::Broker => &BROKER,
        }
    }

    /// Whether a line that starts like this can still become an operation.
    ///
    /// Asked while a line has not ended: bytes that never will be one must not be held back, or
    /// a peer that speaks something else would wait for us for ever.
    pub(super) fn may_start(self, start: &[u8]) -> bool {
        self.names().iter().any(|&(name, blank, _)| {
            let common = start.len().min(name.len());
            let (written, behind) = start.split_at_checked(common).unwrap_or((start, &[]));
            let named = name.get(..common).is_some_and(|name| written.eq_ignore_ascii_case(name));
            named && (blank == Blank::Optional || behind.first().is_none_or(|&b| is_blank(b)))
        })
    }

    /// Tells the operation of a whole line, and the offset behind its name.
    #[inline(always)]
    pub(super) fn operation(self, line: &[u8]) -> Option<(Operation, usize)> {
        // The two that matter come first, at one comparison each.
        let (plain, with_header) = match self {
            Self::Client => (Operation::Pub, Operation::Hpub),
            Self::Broker => (Operation::Msg, Operation::Hmsg),
        };
        if let Some((&word, behind)) = line.split_first_chunk::<4>() {
            // The bit that makes a capital letter small, and nothing else a letter. A blank needs
            // a look of its own: the bit makes one of a NUL.
            let small = u32::from_ne_bytes(word) | u32::from_ne_bytes([0x20; 4]);
            let [.., last] = word;
            if small == self.plain_message() && last == b' ' {
                return Some((plain, 3));
            }
            if small == self.header_message() && behind.first() == Some(&b' ') {
                return Some((with_header, 4));
            }
        }
        self.operation_by_name(line)
    }

    const fn plain_message(self) -> u32 {
        u32::from_ne_bytes(match self {
            Self::Client => *b"pub ",
            Self::Broker => *b"msg ",
        })
    }

    const fn header_message(self) -> u32 {
        u32::from_ne_bytes(match self {
            Self::Client => *b"hpub",
            Self::Broker => *b"hmsg",
        })
    }

    fn operation_by_name(self, line: &[u8]) -> Option<(Operation, usize)> {
        let found = self.names().iter().find(|&&(name, blank, _)| {
            let Some((written, behind)) = line.split_at_checked(name.len()) else {
                return false;
            };
            written.eq_ignore_ascii_case(name)
                && (blank == Blank::Optional || behind.first().is_some_and(|&b| is_blank(b)))
        });
        found.map(|&(name, _, operation)| (operation, name.len()))
    }
}

/// The two bytes that separate arguments.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_of_an_operation_is_possible_and_its_whole_is_found() {
        for sender in [Sender::Client, Sender::Broker] {
            for &(name, _, operation) in sender.names() {
                for separator in [" ", "\t"] {
                    for name in [name.to_ascii_lowercase(), name.to_vec()] {
                        let line = [&name, separator.as_bytes(), b"x"].concat();
                        for end in 0..line.len() {
                            assert!(sender.may_start(&line[..end]));
                        }
                        assert_eq!(sender.operation(&line), Some((operation, name.len())));
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_become_an_operation_is_refused_at_once() {
        let table: [(Sender, &[u8]); 10] = [
            (Sender::Client, b"\x16\x03\x01"),
            (Sender::Client, b"G"),
            (Sender::Client, b"PX"),
            (Sender::Client, b"PUBx"),
            (Sender::Client, b"HPUB\r"),
            (Sender::Client, b"MSG a 1 1"),
            (Sender::Client, b"+"),
            (Sender::Broker, b"PUB a 1"),
            (Sender::Broker, b"\0NFO"),
            (Sender::Broker, b"-ERR'"),
        ];
        for (sender, start) in table {
            assert!(!sender.may_start(start), "{}", start.escape_ascii());
        }
    }

    #[test]
    fn a_whole_line_needs_what_its_start_only_allows() {
        for line in [b"".as_slice(), b"P", b"PUB", b"SUB", b"UNSUB", b"CONNEC"] {
            assert!(Sender::Client.may_start(line));
            assert!(Sender::Client.operation(line).is_none(), "{}", line.escape_ascii());
        }
        for line in [b"PING".as_slice(), b"PONGx", b"connect{}", b"ping "] {
            assert!(Sender::Client.operation(line).is_some(), "{}", line.escape_ascii());
        }
    }
}
