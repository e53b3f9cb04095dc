//! Laws of the rewrite.

use proptest::prelude::*;
use proptest::sample::select;
use spanbridge_wire::Step;
use spanbridge_wire::amqp::{ContentHeader, Decoder, Frame, HeaderEdit, Rewrite};
use spanbridge_wire::limits::AmqpLimits;

use crate::raw::{Raw, RawHeader, header};

/// A header's name, and the value that it shall have.
pub(crate) type Edit = (String, Option<String>);

/// Edits of names that differ also without case.
pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let known = ["traceparent", "TRACESTATE", "baggage", "x-new"];
    let name = prop_oneof![
        3 => select(known.to_vec()).prop_map(str::to_owned),
        1 => "[!-~]{1,6}",
    ];
    let value = proptest::option::weighted(0.8, "[ -~é]{0,20}");
    proptest::collection::vec((name, value), 0..5).prop_map(|mut edits| {
        let mut seen = Vec::new();
        edits.retain(|(name, _)| {
            let name = name.to_ascii_lowercase();
            let is_new = !seen.contains(&name);
            seen.push(name);
            is_new
        });
        edits
    })
}

pub(crate) fn borrow(edits: &[Edit]) -> Vec<HeaderEdit<'_>> {
    let edit = |(name, value): &'_ Edit| -> (_, _) { (name.len(), value.is_some()) };
    debug_assert!(edits.iter().map(edit).all(|(len, _)| len > 0));
    edits
        .iter()
        .map(|(name, value)| HeaderEdit {
            name: name.as_bytes(),
            value: value.as_deref().map(str::as_bytes),
        })
        .collect()
}

fn find(bytes: &[u8]) -> ContentHeader {
    match Decoder::broker(AmqpLimits::default()).next(bytes) {
        Ok(Step::Frame { frame: Frame::Header(header), len }) if len == bytes.len() => header,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

fn rewritten(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let properties = find(bytes).properties(bytes).expect("the generator writes good ones");
    let edits = borrow(edits);
    let rewrite = Rewrite::plan(&properties, &edits, 0).expect("edits are good");
    let mut out = Vec::new();
    rewrite.write(&mut out);
    assert_eq!(rewrite.is_unchanged(), out == bytes);
    assert_eq!(rewrite.frame_len(), out.len() as u64, "the length is known before writing");
    for (frame_max, refused) in [(out.len(), false), (out.len() - 1, out.len() > bytes.len())] {
        let planned = Rewrite::plan(&properties, &edits, frame_max as u32);
        assert_eq!(planned.is_err(), refused, "frame_max is held to exactly");
    }
    out
}

/// The same edits, made to a list of entries in the most naive way.
fn edited(entries: Option<&[Raw]>, edits: &[Edit]) -> Option<Vec<Raw>> {
    let matches = |a: &str, b: &[u8]| a.as_bytes().eq_ignore_ascii_case(b);
    let long = |text: &str| {
        [b"S".as_slice(), &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
    };
    let is_text = |value: &[u8], text: &str| {
        matches!(value.first(), Some(b'S' | b'x')) && value[5..] == *text.as_bytes()
    };
    let mut result: Vec<Raw> = Vec::new();
    for (name, old) in entries.unwrap_or_default() {
        match edits.iter().find(|(edit, _)| matches(edit, name)) {
            None => result.push((name.clone(), old.clone())),
            Some((_, None)) => {}
            Some((edit, Some(new))) => {
                if !result.iter().any(|(done, _)| matches(edit, done)) {
                    let value = if is_text(old, new) { old.clone() } else { long(new) };
                    result.push((name.clone(), value));
                }
            }
        }
    }
    for (name, new) in edits {
        if let Some(new) = new
            && !result.iter().any(|(there, _)| matches(name, there))
        {
            result.push((name.clone().into_bytes(), long(new)));
        }
    }
    (entries.is_some() || !result.is_empty()).then_some(result)
}

proptest! {
    #[test]
    fn no_edits_mean_the_same_bytes(header in header()) {
        let bytes = header.bytes();
        prop_assert_eq!(rewritten(&bytes, &[]), bytes);
    }

    #[test]
    fn edits_that_change_nothing_mean_the_same_bytes(header in header()) {
        let bytes = header.bytes();
        let entries = header.table.unwrap_or_default();
        let same = |a: &[u8], b: &[u8]| a.eq_ignore_ascii_case(b);
        let mut edits: Vec<Edit> = vec![("x-absent".to_owned(), None)];
        for (name, value) in &entries {
            let once = entries.iter().filter(|(other, _)| same(other, name)).count() == 1;
            let text = matches!(value.first(), Some(b'S' | b'x')).then(|| value[5..].to_vec());
            let (Ok(name), Some(text)) = (String::from_utf8(name.clone()), text) else { continue };
            let Ok(text) = String::from_utf8(text) else { continue };
            if once && !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()) {
                edits.push((name, Some(text)));
            }
        }
        prop_assert_eq!(rewritten(&bytes, &edits), bytes);
    }

    /// Every byte is accounted for: the result is the header that has the edited table.
    #[test]
    fn only_size_flag_table_length_and_entries_change(header in header(), edits in edits()) {
        let table = edited(header.table.as_deref(), &edits);
        let wanted = RawHeader { table, ..header.clone() }.bytes();
        prop_assert_eq!(rewritten(&header.bytes(), &edits), wanted);
    }

    #[test]
    fn a_rewrite_of_a_rewrite_changes_nothing(header in header(), edits in edits()) {
        let once = rewritten(&header.bytes(), &edits);
        prop_assert_eq!(rewritten(&once, &edits), once);
    }
}
