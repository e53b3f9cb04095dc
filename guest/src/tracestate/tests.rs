use alloc::string::String;

use super::*;

fn read(values: &[&str]) -> String {
    let mut out = Vec::new();
    Tracestate::parse(values.iter().map(|value| value.as_bytes())).write(&mut out);
    String::from_utf8(out).unwrap()
}

fn with(list: &str, key: &str, value: &str) -> (bool, String) {
    let mut out = Vec::new();
    let list = Tracestate::parse([list.as_bytes()]);
    let done = list.write_with(&mut out, key.as_bytes(), value.as_bytes());
    (done, String::from_utf8(out).unwrap())
}

/// `count` members of `bytes` bytes each: `m00=xx…`.
fn list_of(count: usize, bytes: usize) -> String {
    let members: Vec<_> =
        (0..count).map(|n| format!("m{n:02}={}", "x".repeat(bytes - 4))).collect();
    members.join(",")
}

#[test]
fn values_are_joined_and_white_space_and_empty_members_left_out() {
    let table: [(&[&str], &str); 6] = [
        (&["foo=1,bar=2"], "foo=1,bar=2"),
        (&[" \tfoo=1\t , ,,\tbar=2 ", "", "baz=3"], "foo=1,bar=2,baz=3"),
        (&[""], ""),
        (&[" , \t,"], ""),
        (&["foo=  1"], "foo=  1"),
        (&["foo=1,foo=2"], "foo=1,foo=2"),
    ];
    for (values, list) in table {
        assert_eq!(read(values), list, "{values:?}");
    }
}

#[test]
fn a_value_ends_at_the_first_byte_that_may_not_stand_in_it() {
    let may_stand = |byte: u8| matches!(byte, 0x20..0x7f) && !matches!(byte, b',' | b'=');
    for byte in 0..=u8::MAX {
        for at in 0..20 {
            for behind in [b"x", b"\x01", b","] {
                let mut text = [b'v'; 20];
                text[at] = byte;
                text[at + 1..].fill(behind[0]);
                let expected = text.iter().position(|byte| !may_stand(*byte)).unwrap_or(20);
                assert_eq!(bytes_inside(&text), expected, "{byte} at {at}");
            }
        }
    }
}

#[test]
fn one_invalid_member_discards_the_whole_list() {
    let invalid = [
        "foo",
        "foo=",
        "=1",
        "foo =1",
        "foo= ",
        "foo=\t1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1",
        "_a=1",
        "foo=a=b",
        "foo=\u{e9}",
        "foo=a\u{7f}",
        "foo=a\u{1}",
        "foo=a\tb",
        "foo=1;bar=2=",
    ];
    for member in invalid {
        assert_eq!(read(&["ok=1", member]), "", "{member:?}");
        assert_eq!(read(&[&format!("{member},ok=1")]), "", "{member:?}");
    }
}

#[test]
fn an_at_sign_is_ordinary_after_the_first_byte_of_a_key() {
    for member in ["foo@=1", "foo@@bar=1", "foo@bar@baz=1", "0@a=1", "a_-*/=1"] {
        assert_eq!(read(&[member]), member);
    }
}

#[test]
fn keys_and_values_of_256_bytes_are_valid_and_of_257_are_not() {
    for (bytes, valid) in [(256, true), (257, false)] {
        let text = "z".repeat(bytes);
        for member in [format!("{text}=1"), format!("k={text}")] {
            assert_eq!(read(&[&member]) == member, valid, "{bytes}");
        }
    }
}

#[test]
fn thirty_two_members_are_kept_and_a_thirty_third_discards_all() {
    assert_eq!(read(&[&list_of(32, 5)]), list_of(32, 5));
    assert_eq!(read(&[&format!(",,{},,", list_of(32, 5))]), list_of(32, 5));
    assert_eq!(read(&[&list_of(33, 5)]), "");
    assert_eq!(read(&[&list_of(32, 5), "one=more"]), "");
}

#[test]
fn a_text_past_its_limit_is_discarded_even_if_it_is_mostly_white_space() {
    let padded = |bytes: usize| format!("a=1{}", " ".repeat(bytes - 3));
    assert_eq!(read(&[&padded(TEXT_BYTES_MAX)]), "a=1");
    assert_eq!(read(&[&padded(TEXT_BYTES_MAX + 1)]), "");
    let half = padded(TEXT_BYTES_MAX / 2);
    assert_eq!(read(&[&half, &half[1..]]), "");
    assert_eq!(read(&[&half, "b=2"]), "a=1,b=2");
}

#[test]
fn get_finds_the_first_member_of_exactly_that_key() {
    let list = Tracestate::parse([&b"ab=1,a=2,a=3"[..]]);
    assert_eq!(list.get(b"a"), Some(&b"2"[..]));
    assert_eq!(list.get(b"ab"), Some(&b"1"[..]));
    assert_eq!(list.get(b"b"), None);
    assert_eq!(list.get(b""), None);
    assert_eq!(list.members().last(), Some((&b"a"[..], &b"3"[..])));
}

#[test]
fn a_written_member_comes_first_and_replaces_its_own_key() {
    let table = [
        ("", "n=v"),
        ("a=1", "n=v,a=1"),
        ("a=1,n=old,b=2", "n=v,a=1,b=2"),
        ("n=1,n=2", "n=v"),
        ("nn=1", "n=v,nn=1"),
    ];
    for (list, written) in table {
        assert_eq!(with(list, "n", "v"), (true, written.into()), "{list}");
    }
}

#[test]
fn a_member_that_breaks_the_grammar_leaves_the_list_unchanged() {
    let long = "v".repeat(256);
    let table = [("N", "v"), ("", "v"), ("n", ""), ("n", "a,b"), ("n", "a "), (&long, &long)];
    for (key, value) in table {
        assert_eq!(with("a=1", key, value), (false, "a=1".into()), "{key}={value}");
    }
}

#[test]
fn the_right_most_of_32_members_makes_room_for_a_new_one_but_not_for_a_replaced_one() {
    let full = list_of(32, 5);
    assert_eq!(with(&full, "new", "1").1, format!("new=1,{}", list_of(31, 5)));
    assert_eq!(with(&full, "m00", "1").1, format!("m00=1,{}", &full[6..]));
}

#[test]
fn long_members_give_way_first_and_then_the_right_most() {
    // Eight members of 60 bytes are 487; 24 more and a comma are exactly 512.
    let exact = list_of(8, 60);
    assert_eq!(with(&exact, "n", &"v".repeat(22)).1.len(), WRITTEN_BYTES_MAX);
    assert_eq!(
        with(&exact, "n", &"v".repeat(23)).1,
        format!("n={},{}", "v".repeat(23), list_of(7, 60))
    );

    let long = format!("long={}", "x".repeat(124));
    let mixed = format!("{long},{}", list_of(6, 60));
    assert_eq!(with(&mixed, "n", "v").1, format!("n=v,{mixed}"));
    assert_eq!(
        with(&mixed, "n", &"v".repeat(30)).1,
        format!("n={},{}", "v".repeat(30), list_of(6, 60))
    );
}

#[test]
fn deleting_a_key_keeps_the_rest() {
    let list = Tracestate::parse([&b"a=1,b=2,a=3,c=4"[..]]);
    for (key, rest) in [("a", "b=2,c=4"), ("d", "a=1,b=2,a=3,c=4")] {
        let mut out = Vec::new();
        list.write_without(&mut out, key.as_bytes());
        assert_eq!(out, rest.as_bytes());
    }
}
