//! Subjects that carry the protocol's own traffic.

/// What a subject is reserved for.
///
/// Only what the server and its clients reserve by name. A client can be given another inbox
/// prefix, and an account can import JetStream under another one; neither can be told from its
/// spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlSubject {
    /// `$JS.API.>`, `$JS.<domain>.API.>`: requests to JetStream.
    JetStreamApi,
    /// `$JS.ACK.>`: acknowledgements of deliveries.
    JetStreamAck,
    /// `$JS.FC.>`: flow control.
    JetStreamFlowControl,
    /// `$JS.EVENT.>`: advisories and metrics.
    JetStreamEvent,
    /// `$SYS.>`: the system account.
    System,
    /// `_INBOX.>`: where answers go.
    Inbox,
}

impl ControlSubject {
    /// What `subject` is reserved for. `None` for an ordinary subject.
    ///
    /// Key-value buckets and object stores (`$KV.>`, `$O.>`) hold users' data and are ordinary.
    #[inline]
    pub fn of(subject: &[u8]) -> Option<Self> {
        // Nearly all subjects leave here.
        match subject.first()? {
            b'_' => return subject.starts_with(b"_INBOX.").then_some(Self::Inbox),
            b'$' => {}
            _ => return None,
        }
        if subject.starts_with(b"$SYS.") {
            return Some(Self::System);
        }
        let rest = subject.strip_prefix(b"$JS.")?;
        let mut tokens = rest.split(|&byte| byte == b'.');
        match (tokens.next()?, tokens.next()?) {
            (b"API", _) => Some(Self::JetStreamApi),
            (b"ACK", _) => Some(Self::JetStreamAck),
            (b"FC", _) => Some(Self::JetStreamFlowControl),
            (b"EVENT", _) => Some(Self::JetStreamEvent),
            (_, b"API") => Some(Self::JetStreamApi),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_subjects_are_told_from_ordinary_ones() {
        let table = [
            ("$JS.API.INFO", Some(ControlSubject::JetStreamApi)),
            ("$JS.hub.API.INFO", Some(ControlSubject::JetStreamApi)),
            ("$JS.ACK.S.C.1.1.1.1.0", Some(ControlSubject::JetStreamAck)),
            ("$JS.FC.S.x", Some(ControlSubject::JetStreamFlowControl)),
            ("$JS.EVENT.ADVISORY.API", Some(ControlSubject::JetStreamEvent)),
            ("$SYS.REQ.SERVER.PING", Some(ControlSubject::System)),
            ("_INBOX.abc", Some(ControlSubject::Inbox)),
            ("", None),
            ("$", None),
            ("$JS", None),
            ("$JS.ACK", None),
            ("$JS.hub.orders", None),
            ("$JSX.API.INFO", None),
            ("$SYSTEM.x", None),
            ("$KV.bucket.key", None),
            ("_INBOXES.x", None),
            ("orders.$JS.API", None),
        ];
        for (subject, reserved) in table {
            assert_eq!(ControlSubject::of(subject.as_bytes()), reserved, "{subject}");
        }
    }
}
