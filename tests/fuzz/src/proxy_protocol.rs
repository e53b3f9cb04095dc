//! Laws of PROXY headers, and of saying in an INFO what is true for a connection.

use spanbridge_wire::Step;
use spanbridge_wire::limits::PROXY_V2_BYTES_MAX;
use spanbridge_wire::nats::{Info, TlsSaid};
use spanbridge_wire::proxy_protocol::{Origin, read, write_v2};
use spanbridge_wire::splice;

/// The first bytes of a stranger's connection: an answer stays the same with every byte more, and
/// what is said is said again in the same words. The same bytes are the JSON of an INFO as well.
pub fn proxy_protocol(data: &[u8]) {
    let seen = &data[..data.len().min(PROXY_V2_BYTES_MAX + 1)];
    let answer = read(seen);
    match answer {
        Ok(Step::Need) => assert!(seen.len() < PROXY_V2_BYTES_MAX, "a header has an end"),
        Ok(Step::Frame { frame, len }) => {
            assert!(len <= seen.len());
            assert_eq!(read(&seen[..len]), answer, "nothing behind a header matters");
            assert_eq!(read(&seen[..len - 1]), Ok(Step::Need));
            if let Origin::Tcp { source, destination } = frame {
                let mut again = Vec::new();
                write_v2(source, destination, &mut again);
                assert!(matches!(
                    read(&again),
                    Ok(Step::Frame { frame: Origin::Tcp { source: from, .. }, .. })
                        if from.port() == source.port()
                            && from.ip().to_canonical() == source.ip().to_canonical()
                ));
            }
        }
        Err(why) => assert_eq!(read(&[seen, b"x"].concat()), Err(why), "an error is final"),
    }
    said(data);
}

fn said(json: &[u8]) {
    for (required, verify) in [(false, false), (true, false), (true, true)] {
        let Some(plan) = (TlsSaid { required, verify }).plan(json) else {
            assert!(Info::parse(json).is_none());
            continue;
        };
        let len = splice::len_after(json.len(), plan.as_slice()).expect("patches in order");
        let mut out = Vec::new();
        splice::write(json, plan.as_slice(), &mut out);
        assert_eq!(out.len(), len);
        let info = Info::parse(&out).expect("an object stays one");
        assert_eq!((info.tls_required, info.tls_available), (required, false));
    }
}
