use alloc::string::String;

use super::*;

#[test]
fn text_without_escapes_is_not_copied() {
    assert!(matches!(decode(b"00-4bf9"), Some(Cow::Borrowed(b"00-4bf9"))));
}

#[test]
fn escapes_are_read() {
    let table: [(&str, &str); 9] = [
        (r"", ""),
        (r"a\/b", "a/b"),
        (r#"\"\\"#, "\"\\"),
        (r"\b\f\n\r\t", "\u{8}\u{c}\n\r\t"),
        (r"\u0041\u0000", "A\0"),
        (r"\u00e9\u20AC", "é€"),
        (r"\ud83d\ude00", "😀"),
        (r"\uDBFF\uDFFF", "\u{10ffff}"),
        (r"é\u00e9", "éé"),
    ];
    for (raw, text) in table {
        assert_eq!(decode(raw.as_bytes()).as_deref(), Some(text.as_bytes()), "{raw}");
        assert!(is_text(raw.as_bytes()), "{raw}");
    }
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    let table = [
        r"\ud800",
        r"\udbffx",
        r"\ud800\n",
        r"\udc00",
        r"\ud83d\u0041",
        r"\ud83d\ud83d",
        r"\ude00\ud83d",
        r"\ud83d\ue000",
    ];
    for raw in table {
        assert_eq!(decode(raw.as_bytes()), None, "{raw}");
        assert!(!is_text(raw.as_bytes()), "{raw}");
    }
}

#[test]
fn a_name_is_known_by_any_spelling() {
    let table = [
        ("_otel", true),
        (r"_ot\u0065l", true),
        (r"\u005f\u006f\u0074\u0065\u006c", true),
        ("_ote", false),
        ("_otell", false),
        (r"_ot\u0065ll", false),
        (r"_ot\u0045l", false),
        (r"_otel\ud800", false),
        ("_OTEL", false),
        ("", false),
    ];
    for (raw, same) in table {
        assert_eq!(spells(raw.as_bytes(), b"_otel", |a, b| a == b), same, "{raw}");
    }
    assert!(spells(b"Trac\\u0065Parent", b"traceparent", <[u8]>::eq_ignore_ascii_case));
    assert!(spells(b"", b"", |a, b| a == b));
}

#[test]
fn only_what_must_be_escaped_is() {
    let table = [
        ("", r#""""#),
        ("a/b é€😀\u{7f}\u{2028}", "\"a/b é€😀\u{7f}\u{2028}\""),
        ("\"\\", r#""\"\\""#),
        ("\0\t\n\u{1f}", r#""\u0000\u0009\u000a\u001f""#),
    ];
    for (text, json) in table {
        let mut out = Vec::new();
        encode(text, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), json);
    }
}

#[test]
fn what_is_written_reads_back() {
    let text: String = (0..0x3000).filter_map(char::from_u32).collect();
    let mut out = Vec::new();
    encode(&text, &mut out);
    assert_eq!(decode(&out[1..out.len() - 1]).as_deref(), Some(text.as_bytes()));
}

#[test]
fn offsets_of_the_text_are_found_in_what_was_written() {
    let raw = br"a\u00fcb\ud83d\ude00\nc";
    // The bytes of the text: a, two of u umlaut, b, four of a face, the line end, c.
    let table = [(0, 0), (1, 1), (3, 7), (4, 8), (8, 20), (9, 22), (10, 23), (99, 23)];
    for (offset, expected) in table {
        assert_eq!(RawOffsets::new(raw).of(offset), expected, "{offset}");
    }
    let mut rising = RawOffsets::new(raw);
    assert_eq!(table.map(|(offset, _)| rising.of(offset)), table.map(|(_, expected)| expected));
}
