//! Splicing: changing and then reading is reading and then changing.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    FieldEdit, FieldList, Fields, Refusal, Splicer, StreamItem, StreamReply, Xadd,
};
use spanbridge_wire::splice::{self, Patch};
use spanbridge_wire::{Extent, Step};

use crate::commands;
use crate::generate::{bulk, spell, words};
use crate::replies;

type Pair = (Vec<u8>, Vec<u8>);
type Edit = (Vec<u8>, Option<Vec<u8>>);

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known: [&[u8]; 4] = [b"traceparent", b"TraceParent", b"tracestate", b"b"];
    prop_oneof![select(known.to_vec()).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 1..5),]
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    vec((name(), vec(any::<u8>(), 0..12)), 1..6)
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec((name(), proptest::option::of(vec(any::<u8>(), 0..120))), 0..4).prop_map(|mut edits| {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        edits.retain(|(name, _)| {
            let is_new = !seen.contains(&name.to_ascii_lowercase());
            seen.push(name.to_ascii_lowercase());
            is_new
        });
        edits
    })
}

fn borrow(edits: &[Edit]) -> Vec<FieldEdit<'_>> {
    edits.iter().map(|(name, value)| FieldEdit { name, value: value.as_deref() }).collect()
}

/// The same edits in the most naive way.
fn edited(before: &[Pair], edits: &[Edit]) -> Vec<Pair> {
    let mut after: Vec<Pair> = Vec::new();
    for (name, old) in before {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(name);
        match edits.iter().find(|(edit, _)| same(edit)) {
            None => after.push((name.clone(), old.clone())),
            Some((_, Some(new))) if !after.iter().any(|(name, _)| same(name)) => {
                after.push((name.clone(), new.clone()));
            }
            Some(_) => {}
        }
    }
    for (name, new) in edits {
        let is_there = after.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if let (Some(new), false) = (new, is_there) {
            after.push((name.clone(), new.clone()));
        }
    }
    after
}

fn xadd(options: &str, pairs: &[Pair]) -> Vec<u8> {
    let head = options.split(' ').map(|word| word.as_bytes().to_vec());
    let pairs = pairs.iter().flat_map(|(name, value)| [name.clone(), value.clone()]);
    spell(&head.chain(pairs).collect::<Vec<_>>())
}

fn entry(pairs: &[Pair], is_map: bool) -> Vec<u8> {
    let spelled = pairs.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]);
    let spelled = spelled.collect::<Vec<_>>().concat();
    let count = if is_map { pairs.len() } else { pairs.len() * 2 };
    let marker = if is_map { '%' } else { '*' };
    [format!("*2\r\n$3\r\n1-1\r\n{marker}{count}\r\n").as_bytes(), &spelled].concat()
}

fn list_of(bytes: &[u8]) -> FieldList {
    *Xadd::of(&commands::decode(bytes), bytes).unwrap().editable_fields().unwrap()
}

fn apply(
    bytes: &[u8],
    change: impl FnOnce(&mut Splicer<'_, '_>) -> Result<bool, Refusal>,
) -> (Result<bool, Refusal>, Vec<u8>) {
    let mut out = b"before".to_vec();
    let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
    let result = change(&mut splicer);
    splicer.finish();
    (result, out.split_off(6))
}

proptest! {
    #[test]
    fn fields_of_an_xadd_are_changed_and_nothing_else(pairs in pairs(), edits in edits()) {
        let options = "XADD s NOMKSTREAM MAXLEN ~ 1000 *";
        let bytes = xadd(options, &pairs);
        let list = list_of(&bytes);
        let (result, out) = apply(&bytes, |splicer| splicer.fields(&list, &borrow(&edits)));
        let wanted = edited(&pairs, &edits);
        if wanted.is_empty() {
            prop_assert_eq!(result, Err(Refusal::NoField));
            prop_assert_eq!(out, bytes);
        } else {
            prop_assert_eq!(result, Ok(wanted != pairs));
            prop_assert_eq!(out, xadd(options, &wanted));
        }
    }

    #[test]
    fn fields_of_entries_are_changed_and_nothing_else(
        entries in vec((pairs(), any::<bool>()), 1..4),
        edits in edits(),
    ) {
        let spell = |entries: &[(Vec<Pair>, bool)]| {
            let spelled = entries.iter().map(|(pairs, is_map)| entry(pairs, *is_map));
            let head = format!("*1\r\n*2\r\n$1\r\ns\r\n*{}\r\n", entries.len()).into_bytes();
            std::iter::once(head).chain(spelled).collect::<Vec<_>>().concat()
        };
        let bytes = spell(&entries);
        let mut out = Vec::new();
        let mut splicer = Splicer::new(&bytes, &RespLimits::default(), &mut out);
        let found = StreamReply::read(replies::decode(&bytes).tokens(&bytes)).unwrap();
        let edits_of = borrow(&edits);
        for item in found {
            let StreamItem::Entry(entry) = item else { continue };
            let result = splicer.fields(&entry.fields.unwrap(), &edits_of);
            prop_assert!(matches!(result, Ok(_) | Err(Refusal::NoField)));
        }
        splicer.finish();
        let wanted: Vec<_> = entries
            .iter()
            .map(|(pairs, is_map)| {
                let wanted = edited(pairs, &edits);
                (if wanted.is_empty() { pairs.clone() } else { wanted }, *is_map)
            })
            .collect();
        prop_assert_eq!(out, spell(&wanted));
    }

    #[test]
    fn a_string_is_changed_and_its_length_with_it(
        texts in vec(vec(any::<u8>(), 0..40), 1..5),
        which in any::<prop::sample::Index>(),
        cut in any::<[prop::sample::Index; 2]>(),
        with in vec(any::<u8>(), 0..120),
    ) {
        let mut arguments = vec![b"LPUSH".to_vec(), b"q".to_vec()];
        arguments.extend(texts);
        let bytes = spell(&arguments);
        let which = which.index(arguments.len() - 1);
        let command = commands::decode(&bytes);
        let at = command.arguments(&bytes).nth(which).unwrap();
        let text = arguments[which + 1].clone();
        let mut cut = cut.map(|cut| cut.index(text.len() + 1) as u32);
        cut.sort_unstable();
        let patches = [Patch { at: Extent::new(cut[0], cut[1]).unwrap(), with: &with }];
        let (result, out) = apply(&bytes, |splicer| splicer.string(at, &patches));
        prop_assert_eq!(result, Ok(true));
        let mut changed = Vec::new();
        splice::write(&text, &patches, &mut changed);
        arguments[which + 1] = changed;
        prop_assert_eq!(out, spell(&arguments));
    }

    #[test]
    fn no_change_is_the_same_bytes(bytes in vec(any::<u8>(), 0..60), at in any::<[u32; 2]>()) {
        let [start, end] = at.map(|at| at % 70);
        let (_, out) = apply(&bytes, |_| Ok(false));
        prop_assert_eq!(&out, &bytes);
        // A place that is no string is left alone, wherever it lies.
        if let Some(at) = Extent::new(start, end) {
            let patches = [Patch { at: Extent::default(), with: b"x" }];
            let (result, out) = apply(&bytes, |splicer| splicer.string(at, &patches));
            prop_assert!(result == Err(Refusal::NotAString) && out == bytes || result == Ok(true));
        }
    }
}

#[test]
fn a_change_that_cannot_be_made_leaves_its_place_as_it_was() {
    let bytes = words("XADD s * a 1 b 2");
    let list = list_of(&bytes);
    let set = |name, value| [FieldEdit { name, value }];
    let twice = [FieldEdit { name: b"x", value: None }, FieldEdit { name: b"X", value: None }];
    let table: [(&[FieldEdit<'_>], Result<bool, Refusal>); 6] = [
        (&[], Ok(false)),
        (&set(b"a", Some(b"1")), Ok(false)),
        (&set(b"absent", None), Ok(false)),
        (&set(b"", Some(b"1")), Err(Refusal::Edit)),
        (&twice, Err(Refusal::Edit)),
        (
            &[FieldEdit { name: b"a", value: None }, FieldEdit { name: b"b", value: None }],
            Err(Refusal::NoField),
        ),
    ];
    for (edits, wanted) in table {
        assert_eq!(apply(&bytes, |splicer| splicer.fields(&list, edits)), (wanted, bytes.clone()));
    }
    let too_many = vec![FieldEdit { name: b"x", value: None }; 65];
    assert_eq!(apply(&bytes, |splicer| splicer.fields(&list, &too_many)).0, Err(Refusal::Edit));
    let small = RespLimits { bulk_bytes_max: 8, ..RespLimits::default() };
    let mut out = Vec::new();
    let mut splicer = Splicer::new(&bytes, &small, &mut out);
    let long = set(b"a", Some(b"123456789"));
    assert_eq!(splicer.fields(&list, &long), Err(Refusal::Length));
    let s = commands::decode(&bytes).arguments(&bytes).next().unwrap();
    let patch = |start, end, with| [Patch { at: Extent::new(start, end).unwrap(), with }];
    assert_eq!(splicer.string(s, &patch(0, 0, b"12345678")), Err(Refusal::Length));
    assert_eq!(splicer.string(s, &patch(0, 2, b"")), Err(Refusal::Patches));
    splicer.finish();
    assert_eq!(out, bytes);
}

#[test]
fn changes_are_made_from_front_to_back() {
    let bytes = words("LPUSH q a b");
    let command = commands::decode(&bytes);
    let places: Vec<_> = command.arguments(&bytes).collect();
    let add = [Patch { at: Extent::default(), with: b"x" }];
    let (result, out) = apply(&bytes, |splicer| {
        assert_eq!(splicer.string(places[1], &add), Ok(true));
        assert_eq!(splicer.string(places[1], &add), Err(Refusal::Order));
        assert_eq!(splicer.string(places[0], &add), Err(Refusal::Order));
        splicer.string(places[2], &add)
    });
    assert_eq!((result, out), (Ok(true), words("LPUSH q xa xb")));
}

#[test]
fn fields_that_are_not_all_strings_are_left_alone() {
    let table = [
        ("*1 *2 $3 1-1 *2 $1 a :1 ", Refusal::FieldsMalformed),
        ("*1 *2 $3 1-1 *3 $1 a $1 1 $1 b ", Refusal::OddPairs),
        ("*1 *2 $3 1-1 *2 $1 a *1 $1 1 ", Refusal::FieldsMalformed),
    ];
    for (reply, refusal) in table {
        let bytes = replies::lines(reply);
        let mut found = StreamReply::entries(replies::decode(&bytes).tokens(&bytes)).unwrap();
        let Some(StreamItem::Entry(entry)) = found.next() else { panic!("{reply}") };
        let list = entry.fields.unwrap();
        let mut fields: Fields<'_> = list.iter(&bytes);
        fields.by_ref().for_each(drop);
        assert!(!fields.is_complete());
        let edits = [FieldEdit { name: b"traceparent", value: Some(b"x") }];
        let (result, out) = apply(&bytes, |splicer| splicer.fields(&list, &edits));
        assert_eq!((result, out), (Err(refusal), bytes), "{reply}");
    }
}

#[test]
fn a_changed_command_is_still_one() {
    let bytes = words("XADD s * a 1");
    let edits = [FieldEdit { name: b"traceparent", value: Some(b"00-0af7-b7ad-01") }];
    let list = list_of(&bytes);
    let (_, out) = apply(&bytes, |splicer| splicer.fields(&list, &edits));
    assert_eq!(out, words("XADD s * a 1 traceparent 00-0af7-b7ad-01"));
    let mut decoder = spanbridge_wire::resp::CommandDecoder::new(RespLimits::default());
    assert!(matches!(decoder.next(&out), Ok(Step::Frame { len, .. }) if len == out.len()));
    assert_eq!(list_of(&out).find(&out, b"TRACEPARENT"), Some(b"00-0af7-b7ad-01".as_slice()));
}
