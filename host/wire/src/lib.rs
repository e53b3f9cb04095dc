//! Sans-IO codecs that find a message's headers in a broker's protocol and splice new ones in.
//!
//! Bytes come in as slices and go out as ranges of those slices: this crate opens no socket,
//! reads no clock, owns no buffer, and copies nothing but the few bytes that a splice adds. It
//! does not know what a trace is. It does not model a protocol: it finds the four or five places
//! that an intermediary must read, and measures the rest, to step over it.
//!
//! Three rules hold for every codec:
//!
//! - *Not enough bytes yet* is an answer ([`Step::Need`]), not an error.
//! - A length is compared with its limit ([`limits`]) before anything is computed from it.
//! - An error means "stop looking". No byte has been lost: what the caller holds can be relayed
//!   as it came.
//!
//! ```
//! use spanbridge_wire::Step;
//! use spanbridge_wire::limits::NatsLimits;
//! use spanbridge_wire::nats::{ClientDecoder, ClientFrame, HeaderEdit, Rewrite};
//!
//! let limits = NatsLimits::default();
//! let bytes = b"PUB orders.new 5\r\nhello\r\n";
//! let mut decoder = ClientDecoder::new(limits);
//! let Ok(Step::Frame { frame: ClientFrame::Publish(message), len }) = decoder.next(bytes) else {
//!     panic!("expected a publish");
//! };
//! assert_eq!(message.subject.of(bytes), b"orders.new");
//!
//! let edits = [HeaderEdit { name: b"traceparent", value: Some(b"00-0af7-b7ad-01") }];
//! let rewrite = Rewrite::plan(bytes, &message, &edits, message.payload_len, &limits).unwrap();
//! let mut out = Vec::new();
//! rewrite.write(&mut out);
//! out.extend_from_slice(&bytes[len..]);
//! assert_eq!(
//!     out,
//!     b"HPUB orders.new 42 47\r\nNATS/1.0\r\ntraceparent: 00-0af7-b7ad-01\r\n\r\nhello\r\n"
//! );
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::panic_in_result_fn,
        clippy::unwrap_in_result,
        reason = "a test may panic, and indexes what it built itself"
    )
)]

pub mod amqp;
mod cursor;
mod decimal;
pub mod json;
pub mod limits;
pub mod nats;
pub mod proxy_protocol;
pub mod resp;
pub mod splice;
mod step;

pub use cursor::Extent;
pub use step::Step;
