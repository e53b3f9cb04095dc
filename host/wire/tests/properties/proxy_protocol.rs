//! Laws of PROXY headers.

use std::net::SocketAddr;

use proptest::prelude::*;
use spanbridge_wire::Step;
use spanbridge_wire::limits::PROXY_V2_BYTES_MAX;
use spanbridge_wire::proxy_protocol::{Origin, read, write_v2};

fn address() -> impl Strategy<Value = SocketAddr> {
    any::<(std::net::IpAddr, u16)>().prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

/// Bytes that begin like a header, so that the generator meets the parts behind.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let begin = prop_oneof![
        Just(b"PROXY ".to_vec()),
        Just(b"PROXY TCP4 ".to_vec()),
        Just(b"PROXY TCP6 ::1 ".to_vec()),
        Just(b"\r\n\r\n\0\r\nQUIT\n".to_vec()),
        Just(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec()),
        Just(Vec::new()),
    ];
    let rest = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "[0-9a-f:. \r\n]{0,120}".prop_map(String::into_bytes),
    ];
    (begin, rest).prop_map(|(begin, rest)| [begin, rest].concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(from in address(), to in address(), more in any::<[u8; 3]>()) {
        let mut bytes = Vec::new();
        write_v2(from, to, &mut bytes);
        let len = bytes.len();
        bytes.extend_from_slice(&more);
        let Ok(Step::Frame { frame: Origin::Tcp { source, destination }, len: read }) = read(&bytes)
        else {
            panic!("a written header is a header")
        };
        let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
        prop_assert_eq!(canonical(source), (from.ip(), from.port()));
        prop_assert_eq!(canonical(destination), (to.ip(), to.port()));
        prop_assert_eq!(read, len);
    }

    /// One byte more never changes an answer, once there is one; and there is one within the limit.
    #[test]
    fn an_answer_is_final(bytes in nearly(), more in any::<u8>()) {
        let all = [&bytes[..], &[more]].concat();
        let mut answer = None;
        for len in 0..=all.len() {
            let now = read(&all[..len]);
            match answer {
                Some(before) => prop_assert_eq!(before, now),
                None if now != Ok(Step::Need) => answer = Some(now),
                None => {}
            }
            if let Ok(Step::Frame { len: header, .. }) = now {
                prop_assert!(header <= len && header <= PROXY_V2_BYTES_MAX);
            }
        }
    }
}
