//! What goes through the pipe between the broker and the exporter, both ways.
//!
//! ```text
//! to the exporter     R │ length u16 │ service name              whose the spans after it are
//!                     S │ spans u32  │ length u32 │ span run     as the component encoded them
//! from the exporter   C │ name TAB reason TAB value LF …         counted since the last such frame
//!                     L │ text                                   a log line
//!                     H │                                        ready
//! ```
//!
//! Numbers are big-endian. A frame to the exporter is one or more records and stands alone, so that
//! an exporter that was started anew understands the next one. Around each frame Erlang's ports put
//! its length (`{packet, 4}`).

use std::io::{self, Read, Write};

use spanbridge::resource::RESOURCE_VALUE_BYTES_MAX;

/// Bytes of a frame to the exporter that is not one large record alone.
///
/// Some five hundred spans. Erlang copies a frame once into its pipe; larger ones save nothing.
pub const FRAME_BYTES: usize = 256 << 10;

/// Bytes of any frame: a call answers 4 MiB at most, and its resource's name comes with it.
pub const FRAME_BYTES_MAX: usize = 8 << 20;

const RESOURCE: u8 = b'R';
const SPANS: u8 = b'S';

/// What a frame from the exporter is, as its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Counters.
    Counts = b'C',
    /// A log line.
    Log = b'L',
    /// It can take spans.
    Ready = b'H',
}

/// One record of a frame to the exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Whose the spans after it are.
    Resource(&'a str),
    /// Encoded spans.
    Spans {
        /// How many.
        count: u32,
        /// Fields `ScopeSpans.spans` of OTLP, one after the other.
        run: &'a [u8],
    },
}

/// Appends a resource record. A name too long for one is cut, as the table of resources does.
pub fn put_resource(frame: &mut Vec<u8>, name: &str) {
    let end = name.floor_char_boundary(RESOURCE_VALUE_BYTES_MAX);
    frame.push(RESOURCE);
    // The limit is 1 024.
    frame.extend_from_slice(&(end as u16).to_be_bytes());
    frame.extend_from_slice(&name.as_bytes()[..end]);
}

/// Appends a span record.
pub fn put_spans(frame: &mut Vec<u8>, count: u32, run: &[u8]) {
    frame.push(SPANS);
    frame.extend_from_slice(&count.to_be_bytes());
    // A run is an answer of the component's, 4 MiB at most.
    frame.extend_from_slice(&(run.len() as u32).to_be_bytes());
    frame.extend_from_slice(run);
}

/// Takes the first record off a frame. `None`: it is none.
pub fn record(frame: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (&kind, rest) = frame.split_first()?;
    match kind {
        RESOURCE => {
            let (length, rest) = rest.split_first_chunk()?;
            let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            Some((Record::Resource(std::str::from_utf8(name).ok()?), rest))
        }
        SPANS => {
            let (count, rest) = rest.split_first_chunk()?;
            let (length, rest) = rest.split_first_chunk()?;
            let (run, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            Some((Record::Spans { count: u32::from_be_bytes(*count), run }, rest))
        }
        _ => None,
    }
}

/// Reads a frame into `frame`. Answers `false` at the end of the input.
///
/// # Errors
///
/// When the input fails, ends within a frame, or has one above [`FRAME_BYTES_MAX`].
pub fn read(input: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<bool> {
    frame.clear();
    let mut length = [0; 4];
    let first = loop {
        match input.read(&mut length[..1]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if first == 0 {
        return Ok(false);
    }
    input.read_exact(&mut length[1..])?;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        let text = format!("a frame of {length} bytes; {FRAME_BYTES_MAX} are allowed");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let read = input.by_ref().take(length as u64).read_to_end(frame)?;
    if read < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(true) }
}

/// Writes a frame from the exporter, in one piece.
///
/// # Errors
///
/// When the output fails.
pub fn write(output: &mut (impl Write + ?Sized), kind: Kind, content: &[u8]) -> io::Result<()> {
    let content = &content[..content.len().min(FRAME_BYTES_MAX)];
    let mut frame = Vec::with_capacity(5 + content.len());
    frame.extend_from_slice(&(1 + content.len() as u32).to_be_bytes());
    frame.push(kind as u8);
    frame.extend_from_slice(content);
    output.write_all(&frame)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let mut frame = Vec::new();
        put_resource(&mut frame, "shop");
        put_spans(&mut frame, 2, b"abc");
        let (first, rest) = record(&frame).unwrap();
        assert_eq!(first, Record::Resource("shop"));
        let (second, rest) = record(rest).unwrap();
        assert_eq!(second, Record::Spans { count: 2, run: b"abc" });
        assert_eq!((rest, record(rest)), (&b""[..], None));
    }

    #[test]
    fn a_record_that_is_cut_or_unknown_is_none() {
        let (mut resource, mut spans) = (Vec::new(), Vec::new());
        put_resource(&mut resource, "shop");
        put_spans(&mut spans, 1, b"abc");
        for whole in [resource, spans] {
            for end in 0..whole.len() {
                assert_eq!(record(&whole[..end]), None, "{end} bytes of {whole:?}");
            }
        }
        assert_eq!(record(b"X\0\0"), None);
        assert_eq!(record(b"R\0\x01\xff"), None, "no UTF-8");
        assert_eq!(record(b"S\0\0\0\x01\xff\xff\xff\xffabc"), None);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut frame = Vec::new();
        put_resource(&mut frame, &format!("x{}", "é".repeat(RESOURCE_VALUE_BYTES_MAX)));
        let Some((Record::Resource(name), b"")) = record(&frame) else { panic!("{frame:?}") };
        assert_eq!(name.len(), RESOURCE_VALUE_BYTES_MAX - 1);
    }

    #[test]
    fn frames_end_with_the_input_and_not_within() {
        let mut frame = vec![1];
        assert!(!read(&mut &b""[..], &mut frame).unwrap());
        let mut input = &b"\0\0\0\x02ab\0\0\0\0"[..];
        assert!(read(&mut input, &mut frame).unwrap());
        assert_eq!(frame, b"ab");
        assert!(read(&mut input, &mut frame).unwrap());
        assert_eq!(frame, b"");
        for bad in [&b"\0\0"[..], b"\0\0\0\x02a", b"\xff\xff\xff\xff"] {
            assert!(read(&mut &bad[..], &mut frame).is_err(), "{bad:?}");
        }
    }
}
