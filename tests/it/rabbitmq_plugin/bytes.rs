//! What the plugin does to the encoded properties of a message: it puts its headers behind those
//! that are there, and every other byte stays.

use anyhow::Result;
use spanbridge_tests::raw_amqp::{Method, Opening, publish};
use spanbridge_tests::{PluginBed, Properties, RawAmqp, Release};

/// A method of class basic: a delivery.
const DELIVER: u16 = 60;

/// What the plugin writes.
const CONTEXT: [&str; 2] = ["traceparent", "tracestate"];

const TRACEPARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Headers of types that decoding and encoding would change: a byte, a short number, a double, a
/// table in a table, an array, nothing, a name that is there twice.
const ODD: &[u8] = b"\x01ab\xff\x01bs\0\x07\x01cd\x40\x09\x21\xfb\x54\x44\x2d\x18\
    \x01dF\0\0\0\x09\x01xS\0\0\0\x02hi\x01eA\0\0\0\x05I\0\0\0\x01\x01fV\x01at\x01";

#[test]
fn plugin_leaves_every_other_byte_of_the_properties() -> Result<()> {
    // Newer brokers change tables themselves.
    let Some(bed) = PluginBed::shared(Release::Installed)? else { return Ok(()) };
    let vhost = bed.server.vhost()?;
    let opening = Opening { vhost: &vhost, ..Opening::default() };
    let mut client = RawAmqp::open(bed.server.address(), &opening)?;
    client.declare("bytes", b"")?;
    client.consume("bytes", true)?;
    let foreign = [ODD, b"\x0bTraceParentS\0\0\0\x37", TRACEPARENT].concat();
    let table = |entries: &[u8]| Method::table(entries);
    for (sent, is_written) in [
        (vec![0, 0], true),
        (b"\x90\0\x03a/b\x02".to_vec(), true),
        ([b"\x20\x80", &table(ODD)[..], b"\x02m1"].concat(), true),
        ([&b"\x20\0"[..], &table(b"")].concat(), true),
        ([&b"\x20\0"[..], &table(&foreign)].concat(), false),
    ] {
        for frame in publish(1, ("", "bytes"), &sent, b"body", 131_072) {
            client.send_frame(&frame)?;
        }
        let content = client.content(DELIVER)?;
        assert_eq!(content.body, b"body");
        let (fixed, found) = content.header.payload.split_at(12);
        if !is_written {
            assert_eq!(found, sent);
            continue;
        }
        let mut expected = content.header.clone();
        expected.payload = [fixed, &sent].concat();
        let (found, expected) = (Properties::read(&content.header)?, Properties::read(&expected)?);
        let count = |all: &Properties| all.headers.as_ref().map_or(0, Vec::len);
        assert_eq!(count(&found), count(&expected) + CONTEXT.len());
        // The test's own reader takes out a table that is empty then, which is what came.
        let (mut found, mut expected) = (found.without(&CONTEXT), expected);
        found.headers.get_or_insert_default();
        expected.headers.get_or_insert_default();
        assert_eq!(found, expected);
    }
    Ok(())
}
