//! A message as the queue in memory holds it: bytes and nothing else.
//!
//! ```text
//! ┌ accepted ┬ headers ┬ name length ┬ value length ┬ name ┬ value ┬ … ┬ payload ┐
//! │   u64    │   u16   │     u16     │     u16      │      │       │   │         │  little-endian
//! └──────────┴─────────┴─────────────┴──────────────┴──────┴───────┴───┴─────────┘
//! ```
//!
//! `accepted` is when the queue took the message, in nanoseconds since the Unix epoch: 0 when it
//! comes from the producer, set by the queue as brokers do. Made for this demo alone.

/// A message, read or about to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// When the queue took it; 0: it has not.
    pub accepted: u64,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// What the programs talk about.
    pub payload: Vec<u8>,
}

/// Bytes before the headers.
const ACCEPTED: usize = 8;

impl Frame {
    /// Writes it. `None` when it has more, or longer, headers than their lengths can say.
    pub(super) fn format(&self) -> Option<Vec<u8>> {
        let mut bytes = self.accepted.to_le_bytes().to_vec();
        bytes.extend(u16::try_from(self.headers.len()).ok()?.to_le_bytes());
        for (name, value) in &self.headers {
            bytes.extend(u16::try_from(name.len()).ok()?.to_le_bytes());
            bytes.extend(u16::try_from(value.len()).ok()?.to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(value.as_bytes());
        }
        bytes.extend(&self.payload);
        Some(bytes)
    }

    /// Reads it. `None` when it is cut off, or a header is not UTF-8.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (accepted, rest) = bytes.split_first_chunk::<ACCEPTED>()?;
        let (count, mut rest) = length(rest)?;
        // Not reserved: the number may be a lie, the bytes are not.
        let mut headers = Vec::new();
        for _ in 0..count {
            let (name, after) = length(rest)?;
            let (value, after) = length(after)?;
            let (name, after) = after.split_at_checked(name)?;
            let (value, after) = after.split_at_checked(value)?;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            headers.push((text(name)?, text(value)?));
            rest = after;
        }
        let accepted = u64::from_le_bytes(*accepted);
        Some(Self { accepted, headers, payload: rest.to_vec() })
    }
}

/// Sets when the queue took a message. What is too short to be one stays as it is.
pub(super) fn stamp(bytes: &mut [u8], now: u64) {
    if let Some(accepted) = bytes.first_chunk_mut::<ACCEPTED>() {
        *accepted = now.to_le_bytes();
    }
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*length)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let headers = vec![("traceparent".into(), "00-1".into()), ("é".into(), String::new())];
        Frame { accepted: 0, headers, payload: b"payload".to_vec() }
    }

    #[test]
    fn what_was_written_is_read_and_the_queue_sets_its_time() {
        let mut bytes = frame().format().unwrap();
        assert_eq!(Frame::parse(&bytes), Some(frame()));
        stamp(&mut bytes, 7);
        assert_eq!(Frame::parse(&bytes), Some(Frame { accepted: 7, ..frame() }));
    }

    #[test]
    fn a_frame_that_is_cut_off_before_its_payload_is_none() {
        let bytes = frame().format().unwrap();
        let head = bytes.len() - b"payload".len();
        for end in 0..head {
            assert_eq!(Frame::parse(&bytes[..end]), None, "{end} of {head} bytes");
        }
        assert_eq!(Frame::parse(&bytes[..head]).unwrap().payload, b"");
    }

    #[test]
    fn a_header_that_is_too_long_is_not_written() {
        let with = |value: String| Frame { headers: vec![("a".into(), value)], ..frame() };
        assert!(with("x".repeat(65_535)).format().is_some());
        assert!(with("x".repeat(65_536)).format().is_none());
    }
}
