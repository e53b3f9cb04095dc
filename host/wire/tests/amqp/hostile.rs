//! Bytes from strangers: whatever they are, they are read without a panic, and what is found lies
//! within them.

use proptest::collection::vec;
use proptest::prelude::*;
use spanbridge_wire::amqp::{
    BrokerMarks, ClientProperties, Decoder, Frame, HeaderEdit, Properties, Refusal, Rewrite,
    ServerProperties, Table,
};
use spanbridge_wire::limits::AmqpLimits;

use crate::generate::{damaged, stream};
use crate::raw::{entries, header, spell};
use crate::walk::{Seen, walk};

/// Entries of which one byte was changed, or which were cut.
fn damaged_entries() -> impl Strategy<Value = Vec<u8>> {
    let at = any::<prop::sample::Index>();
    let hit = (entries(), at.clone(), any::<u8>()).prop_map(|(entries, at, byte)| {
        let mut bytes = spell(&entries);
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    let cut = (entries(), at).prop_map(|(entries, at)| {
        let bytes = spell(&entries);
        bytes[..at.index(bytes.len() + 1)].to_vec()
    });
    prop_oneof![hit, cut, vec(any::<u8>(), 0..60)]
}

/// Reads all there is in a table, two levels deep.
fn read(table: Table<'_>) {
    let bytes = table.bytes();
    let mut end = 0;
    let mut entries = table.iter();
    for entry in entries.by_ref() {
        assert_eq!(entry.at.start(), end, "entries follow one another");
        end = entry.at.end();
        let spelled = entry.at.of(bytes);
        assert!(spelled.ends_with(entry.value.raw()));
        assert_eq!(spelled[1..][..entry.name.len()], *entry.name);
        assert!(entry.name.len() + entry.value.raw().len() + 2 <= spelled.len());
        for value in entry.value.as_array().into_iter().flatten() {
            assert!(
                value.as_u64().is_none_or(|number| value.as_i64() == i64::try_from(number).ok())
            );
        }
        for inner in entry.value.as_table().into_iter().flatten() {
            assert!(inner.value.raw().len() < entry.value.raw().len());
        }
    }
    assert_eq!(entries.is_complete(), end as usize == bytes.len());
    assert_eq!(table.is_complete(), entries.is_complete());
    BrokerMarks::of(table).deaths().for_each(drop);
    ClientProperties::of(table);
    ServerProperties::of(table);
}

fn inject(properties: &Properties<'_>) -> Result<usize, Refusal> {
    let edits = [
        HeaderEdit { name: b"traceparent", value: Some(b"00-0af7-b7ad-01") },
        HeaderEdit { name: b"baggage", value: None },
    ];
    let mut out = Vec::new();
    Rewrite::plan(properties, &edits, 0)?.write(&mut out);
    Ok(out.len())
}

proptest! {
    #[test]
    fn any_table_is_read_up_to_where_it_can_be(bytes in damaged_entries()) {
        read(Table::new(&bytes));
    }

    #[test]
    fn any_stream_is_read_up_to_where_it_can_be(bytes in prop_oneof![stream(), damaged()]) {
        let walked = walk(Decoder::broker(AmqpLimits::default()), &bytes, &[bytes.len().max(1)]);
        for seen in walked.seen {
            let Seen::Whole(Frame::Header(header), bytes) = seen else { continue };
            let Some(properties) = header.properties(&bytes) else { continue };
            if let Some(table) = properties.headers {
                read(table);
                prop_assert_eq!(inject(&properties).is_ok(), table.is_complete());
            } else {
                prop_assert!(inject(&properties).is_ok());
            }
        }
    }

    #[test]
    fn any_flags_and_properties_are_read_or_left_alone(
        header in header(),
        flags in any::<[u8; 2]>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = header.bytes();
        bytes[19..21].copy_from_slice(&flags);
        // The flags lie within the first 21 bytes; the end is one more.
        let len = 21 + cut.index(bytes.len() - 21);
        bytes.truncate(len);
        bytes.push(0xce);
        bytes[3..7].copy_from_slice(&(len as u32 - 7).to_be_bytes());
        let walked = walk(Decoder::broker(AmqpLimits::default()), &bytes, &[bytes.len()]);
        let [Seen::Whole(Frame::Header(found), _)] = walked.seen[..] else {
            panic!("{walked:?}");
        };
        prop_assert_eq!(found.flags, u16::from_be_bytes(flags));
        if let Some(properties) = found.properties(&bytes) {
            prop_assert_eq!(found.flags & 0b11, 0);
            let _ = inject(&properties);
        }
    }
}
