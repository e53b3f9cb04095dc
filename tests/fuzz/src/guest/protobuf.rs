//! The wire format of protobuf, as far as it says where fields end.

/// Reads `bytes` as fields and answers those with bytes in them, with their tags. Panics where
/// they are no fields.
pub(super) fn fields(bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let len = match tag & 7 {
            0 => {
                varint(&mut rest);
                continue;
            }
            1 => 8,
            2 => varint(&mut rest),
            5 => 4,
            other => panic!("a wire type that nobody writes: {other}"),
        };
        let (value, behind) = rest.split_at(usize::try_from(len).expect("a length"));
        rest = behind;
        if tag & 7 == 2 {
            found.push((tag, value));
        }
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for place in 0..10 {
        let (&byte, behind) = rest.split_first().expect("a varint ends");
        *rest = behind;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return number;
        }
    }
    panic!("a varint takes ten bytes at most");
}
