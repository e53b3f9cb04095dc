use super::*;

fn tcp(source: &str, destination: &str) -> Origin {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    Origin::Tcp { source, destination }
}

/// A header of version 2 with this command, family and body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &len, body].concat()
}

const BODY4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x10, 0x7e];

#[test]
fn headers_of_version_1_are_read() {
    for (line, origin) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 56324 4222\r\n", tcp("192.0.2.1:56324", "192.0.2.2:4222")),
        (
            "PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n",
            tcp("[2001:db8::1]:0", "[2001:db8::2]:65535"),
        ),
        ("PROXY UNKNOWN\r\n", Origin::Unknown),
        ("PROXY UNKNOWN ff ff 1 2 3 4\r\n", Origin::Unknown),
    ] {
        let stream = [line.as_bytes(), b"PING\r\n"].concat();
        let frame = Step::Frame { frame: origin, len: line.len() };
        assert_eq!(read(&stream), Ok(frame), "{line}");
        for cut in 0..line.len() {
            assert_eq!(read(&stream[..cut]), Ok(Step::Need), "{line} cut at {cut}");
        }
        assert!(line.len() >= LEAD_BYTES);
    }
}

#[test]
fn headers_of_version_1_that_are_not_exactly_so_are_refused() {
    for line in [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY UNKNOWNS\r\n",
    ] {
        assert_eq!(read(line.as_bytes()), Err(NoHeader::Addresses), "{line}");
    }
}

#[test]
fn headers_of_version_2_are_read() {
    let mut body6 = [[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
    body6.extend_from_slice(&[0, 1, 0, 2]);
    let with_tlv = [&BODY4[..], &[4, 0, 1, 7]].concat();
    let origin = tcp("192.0.2.1:56324", "192.0.2.2:4222");
    for (header, origin) in [
        (v2(0x21, 0x11, &BODY4), origin),
        (v2(0x21, 0x11, &with_tlv), origin),
        (v2(0x21, 0x21, &body6), tcp("[2001:db8::1]:1", "[2001:db8::1]:2")),
        // LOCAL says nothing, whatever follows; neither does a family without addresses.
        (v2(0x20, 0x00, b""), Origin::Unknown),
        (v2(0x20, 0x11, b"short"), Origin::Unknown),
        (v2(0x21, 0x00, b""), Origin::Unknown),
        (v2(0x21, 0x12, &BODY4), Origin::Unknown),
        (v2(0x21, 0x31, &[0; 216]), Origin::Unknown),
    ] {
        let stream = [&header[..], b"PING\r\n"].concat();
        assert_eq!(read(&stream), Ok(Step::Frame { frame: origin, len: header.len() }));
        for cut in 0..header.len() {
            assert_eq!(read(&stream[..cut]), Ok(Step::Need), "{header:?} cut at {cut}");
        }
    }
}

#[test]
fn headers_of_version_2_that_say_something_else_are_refused() {
    for (header, why) in [
        (v2(0x11, 0x11, &BODY4), NoHeader::Version),
        (v2(0x31, 0x11, &BODY4), NoHeader::Version),
        (v2(0x22, 0x11, &BODY4), NoHeader::Command),
        (v2(0x21, 0x11, &BODY4[..11]), NoHeader::Addresses),
        (v2(0x21, 0x21, &BODY4), NoHeader::Addresses),
    ] {
        assert_eq!(read(&header), Err(why), "{header:?}");
    }
}

#[test]
fn what_is_no_header_is_refused_at_the_first_byte_that_says_so() {
    for bytes in [&b"C"[..], b"PROXZ", b"\r\n\r\n\r", b"\x16\x03\x01", b"PROXY\t", b"\r\n\r\n\0X"] {
        assert_eq!(read(bytes), Err(NoHeader::Signature), "{}", bytes.escape_ascii());
    }
    assert_eq!(read(b""), Ok(Step::Need));
}

#[test]
fn longest_headers_are_taken_and_longer_ones_refused() {
    let line = |len: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(len - 16)).into_bytes();
    let longest = line(PROXY_V1_BYTES_MAX);
    assert!(matches!(read(&longest), Ok(Step::Frame { len: PROXY_V1_BYTES_MAX, .. })));
    assert_eq!(read(&line(PROXY_V1_BYTES_MAX + 1)), Err(NoHeader::TooLong));
    let body = vec![0; PROXY_V2_BYTES_MAX - FIXED_BYTES];
    assert!(matches!(read(&v2(0x20, 0, &body)), Ok(Step::Frame { .. })));
    // It is refused by its length, before any of it has come.
    let longer = v2(0x20, 0, &vec![0; PROXY_V2_BYTES_MAX - FIXED_BYTES + 1]);
    assert_eq!(read(&longer[..FIXED_BYTES]), Err(NoHeader::TooLong));
}

#[test]
fn what_is_written_is_read_back() {
    for (source, destination, read_back) in [
        ("192.0.2.1:1", "192.0.2.2:2", tcp("192.0.2.1:1", "192.0.2.2:2")),
        ("[2001:db8::1]:1", "[::1]:2", tcp("[2001:db8::1]:1", "[::1]:2")),
        ("192.0.2.1:1", "[::1]:2", tcp("[::ffff:192.0.2.1]:1", "[::1]:2")),
        ("[::ffff:192.0.2.1]:1", "192.0.2.2:2", tcp("192.0.2.1:1", "192.0.2.2:2")),
    ] {
        let mut out = Vec::new();
        write_v2(source.parse().unwrap(), destination.parse().unwrap(), &mut out);
        assert_eq!(read(&out), Ok(Step::Frame { frame: read_back, len: out.len() }));
    }
}
