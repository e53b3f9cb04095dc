use alloc::string::String;
use alloc::vec::Vec;

use super::*;

/// Reads a body to its end; the members as text.
fn members(body: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut members = Members::open(body, 0, 0)?;
    let mut read = Vec::new();
    while let Some(member) = members.next()? {
        read.push((member.name.of(body), member.value.of(body)));
    }
    members.ends_body().then_some(read)
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    [&open.repeat(levels), inner, &close.repeat(levels)].concat()
}

#[test]
fn members_keep_their_spelling() {
    let body = b" { \"a\" : 1.50e+01 ,\n\"\\u0061\":[ 1 , {} ],\"\":\"x\\\"y\"}\r\n";
    let expected: [(&[u8], &[u8]); 3] =
        [(b"\"a\"", b"1.50e+01"), (b"\"\\u0061\"", b"[ 1 , {} ]"), (b"\"\"", b"\"x\\\"y\"")];
    assert_eq!(members(body).unwrap(), expected);
}

#[test]
fn values_of_the_grammar_are_accepted() {
    let values = [
        "0",
        "-0",
        "10",
        "1.0",
        "0e0",
        "-1.25E-07",
        "1e999",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\"",
        "\"\\ud800\"",
        "\"\u{7f}é\u{2028}\u{10ffff}\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],[]]",
        "[1,2 , 3]",
        "{\"a\":{\"b\":[{}]},\"a\":0}",
    ];
    for value in values {
        let body = ["{\"v\":", value, "}"].concat();
        assert_eq!(members(body.as_bytes()).unwrap()[0].1, value.as_bytes(), "{body}");
    }
}

#[test]
fn values_next_to_the_grammar_are_rejected() {
    let values = [
        "",
        "00",
        "01",
        "-",
        "-a",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "tru",
        "truee",
        "True",
        "nul",
        "nulll",
        "\"",
        "\"a",
        "'a'",
        "a",
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        "\"\\a\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\\U0041\"",
        "[",
        "]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1",
        "[1}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1]",
        "{\"a\":1 \"b\":2}",
        "/**/1",
        "1//",
        "\u{a0}1",
    ];
    for value in values {
        let body = ["{\"v\":", value, "}"].concat();
        assert_eq!(members(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn bodies_that_are_not_one_object_are_rejected() {
    let bodies: [&[u8]; 14] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"[]",
        b"1",
        b"\"a\"",
        b"null",
        b"{}{}",
        b"{}x",
        b"{},",
        b"{\"a\":1",
        b"\xef\xbb\xbf{}",
        b"{}\0",
    ];
    for body in bodies {
        assert_eq!(members(body), None, "{body:?}");
    }
    assert_eq!(members(b"\t\r\n {}\t\r\n ").unwrap(), []);
}

#[test]
fn strings_have_to_be_utf8() {
    let texts: [(&[u8], bool); 8] = [
        (b"\xc3\xa9", true),
        (b"aaaaaaa\xc3\xa9", true),
        (b"\xf4\x8f\xbf\xbf", true),
        (b"\xf4\x90\x80\x80", false),
        (b"\xc3", false),
        (b"\xc0\xaf", false),
        (b"\xed\xa0\x80", false),
        (b"aaaaaaaaaaaaaaaa\xff", false),
    ];
    for (text, accepted) in texts {
        let value = [b"{\"a\":\"", text, b"\"}"].concat();
        assert_eq!(members(&value).is_some(), accepted, "value {text:?}");
        let name = [b"{\"", text, b"\":1}"].concat();
        assert_eq!(members(&name).is_some(), accepted, "name {text:?}");
    }
}

#[test]
fn depth_is_accepted_to_the_limit_and_rejected_past_it() {
    // The body's own object is one level; the last shape opens two at a time, and 63 is odd.
    let most = DEPTH_MAX as usize - 1;
    let shapes = [("[", "1", "]", most), ("{\"a\":", "1", "}", most)];
    let shapes = shapes.into_iter().chain([("[{\"a\":", "[]", "}]", most / 2)]);
    for (open, inner, close, levels) in shapes {
        let body = ["{\"v\":", &nested(open, inner, close, levels), "}"].concat();
        assert!(members(body.as_bytes()).is_some(), "{body}");
        let body = ["{\"v\":[", &nested(open, inner, close, levels), "]}"].concat();
        assert_eq!(members(body.as_bytes()), None, "{body}");
    }
    let flat = ["{\"v\":[", &"[],{},".repeat(1000), "0]}"].concat();
    assert!(members(flat.as_bytes()).is_some(), "siblings are not depth");
}

#[test]
fn a_bottomless_body_ends_at_the_limit() {
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let body = ["{\"v\":", &open.repeat(1_000_000)].concat();
        assert_eq!(members(body.as_bytes()), None);
    }
}

#[test]
fn an_end_of_plain_text_is_seen_at_every_place_in_a_word() {
    for byte in 0..=255_u8 {
        let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
        for place in 0..20 {
            let mut text = [b'~'; 24];
            text[place] = byte;
            let mut cursor = Cursor { bytes: &text, at: 0 };
            let ascii = cursor.plain();
            assert_eq!(cursor.at, if ends { place } else { 24 }, "{byte:#x} at {place}");
            assert_eq!(ascii, byte < 0x80, "{byte:#x} at {place}");
        }
    }
}
