use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Reads a body to its end; the members as text.
fn members(body: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut cursor = Cursor::new(body);
    let mut members = Members::open(&mut cursor)?;
    let mut read = Vec::new();
    while let Some(name) = members.name()? {
        read.push((name.at.of(body), members.value()?.at.of(body)));
    }
    members.ends_text().then_some(read)
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
fn an_object_is_entered_on_the_way_and_left_at_its_end() {
    let body = br#" {"a":{"b":[{}],"c":{"d":1 , "e":2} }, "f":3}"#;
    let mut cursor = Cursor::new(body);
    let mut outer = Members::open(&mut cursor).unwrap();
    outer.name().unwrap().unwrap();
    let mut inner = outer.enter().unwrap();
    inner.name().unwrap().unwrap();
    assert_eq!(inner.value().unwrap().at.of(body), b"[{}]");
    inner.name().unwrap().unwrap();
    let mut innermost = inner.enter().unwrap();
    while innermost.name().unwrap().is_some() {
        assert!(innermost.value().unwrap().is_number());
    }
    assert!(innermost.len() == 2 && body[..innermost.insert_at()].ends_with(b"\"e\":2"));
    assert!(inner.name().unwrap().is_none());
    assert!(inner.len() == 2 && body[..inner.insert_at()].ends_with(b"\"e\":2}"));
    assert_eq!(outer.name().unwrap().unwrap().raw(body), b"f");
    assert!(outer.enter().is_none(), "a number");
}

#[test]
fn an_object_that_is_entered_is_read_as_strictly() {
    let read = |body: &[u8]| {
        let mut cursor = Cursor::new(body);
        let mut outer = Members::open(&mut cursor)?;
        outer.name()??;
        let mut inner = outer.enter()?;
        while inner.name()?.is_some() {
            inner.value()?;
        }
        outer.name()?.is_none().then_some(())?;
        outer.ends_text().then_some(())
    };
    assert!(read(br#"{"a":{"b":1}}"#).is_some());
    for body in [
        &br#"{"a":{"b":1}"#[..],
        br#"{"a":{"b":1}}}"#,
        br#"{"a":{"b":1},}"#,
        br#"{"a":{"b":1]}"#,
        br#"{"a":{"b":1 "c":2}}"#,
        br#"{"a":{,"b":1}}"#,
        br#"{"a":{"b":1,}}"#,
        br#"{"a":{"b"}}"#,
    ] {
        assert!(read(body).is_none(), "{}", body.escape_ascii());
    }
    // Its own level counts as well.
    let most = DEPTH_MAX as usize - 2;
    for (levels, accepted) in [(most, true), (most + 1, false)] {
        let body = ["{\"a\":{\"b\":", &nested("[", "", "]", levels), "}}"].concat();
        assert_eq!(read(body.as_bytes()).is_some(), accepted, "{levels}");
    }
}

#[test]
fn a_value_says_of_what_type_it_is() {
    let body = br#"{"a":"x","b":"\n","c":{},"d":[],"e":-1,"f":0,"g":false,"h":null,"i":true}"#;
    let mut cursor = Cursor::new(body);
    let mut members = Members::open(&mut cursor).unwrap();
    let mut types = String::new();
    while members.name().unwrap().is_some() {
        let value = members.value().unwrap();
        for (letter, is_it) in [
            ('s', value.is_string()),
            ('\\', value.has_escapes),
            ('o', value.is_object()),
            ('a', value.is_array()),
            ('n', value.is_number()),
            ('f', value.is_false()),
            ('0', value.is_null()),
        ] {
            types.extend(is_it.then_some(letter));
        }
        types.push(' ');
    }
    assert_eq!(types, "s s\\ o a n n f 0  ");
}

#[test]
fn white_space_of_any_length_is_passed() {
    for spaces in 0..40 {
        for other in ["", "\t", "\r\n", "\n"] {
            let space = [other, &" ".repeat(spaces)].concat();
            let body = ["", "{", "\"a\"", ":", "[", "1", ",", "{", "}", "]", "}", ""].join(&space);
            assert_eq!(members(body.as_bytes()).map(|read| read.len()), Some(1), "{body:?}");
        }
        // These are white space elsewhere.
        for other in ["\u{b}", "\u{c}", "\0", "\u{a0}", "\u{1c}"] {
            let body = ["{\"a\":", &" ".repeat(spaces), other, "1}"].concat();
            assert_eq!(members(body.as_bytes()), None, "{body:?}");
        }
    }
}

#[test]
fn a_string_is_read_alike_wherever_its_bytes_stand() {
    // Around the ends of words, of pairs of them, and of the text.
    for before in 0..40 {
        for behind in 0..20 {
            for (middle, accepted, has_escapes) in [
                (&b""[..], true, false),
                (b"\\\"", true, true),
                (b"\\u00e9", true, true),
                (b"\xc3\xa9", true, false),
                (b"\xc3\xa9\\n", true, true),
                (b"\\n\xc3\xa9", true, true),
                (b"\x7f", true, false),
                (b"!#[]", true, false),
                (b"\x1f", false, false),
                (b"\n", false, false),
                (b"\xa9", false, false),
                (b"\xc3", false, false),
                (b"\\\xc3\xa9", false, false),
                (b"\\u00e", false, false),
                (b"\xed\xa0\x80", false, false),
            ] {
                let text = [&vec![b'~'; before][..], middle, &vec![b' '; behind]].concat();
                let body = [b"{\"a\":\"", &text[..], b"\"}"].concat();
                let read = members(&body);
                assert_eq!(read.is_some(), accepted, "{}", body.escape_ascii());
                let quoted = [b"\"", &text[..], b"\""].concat();
                assert!(read.is_none_or(|read| read == [(&b"\"a\""[..], &quoted[..])]));
                let mut cursor = Cursor::new(&body);
                let mut outer = Members::open(&mut cursor).unwrap();
                outer.name().unwrap();
                let value = outer.value();
                assert_eq!(value.is_some_and(|value| value.has_escapes), has_escapes);
                let name = [b"{\"", &text[..], b"\":1}"].concat();
                assert_eq!(members(&name).is_some(), accepted, "{}", name.escape_ascii());
                let nested = [b"{\"a\":[\"", &text[..], b"\"]}"].concat();
                assert_eq!(members(&nested).is_some(), accepted, "{}", nested.escape_ascii());
            }
        }
    }
}
