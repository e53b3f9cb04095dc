use alloc::borrow::ToOwned;

use super::*;

fn read(values: &[&str]) -> Vec<Member> {
    parse(values.iter().map(|value| value.as_bytes()))
}

fn rewritten(value: &str) -> String {
    String::from_utf8(format(&read(&[value]))).unwrap()
}

#[test]
fn a_valid_value_is_written_back_byte_for_byte() {
    let values = [
        "key=value",
        "key==",
        "key=",
        "a=1;p;q=2;q=;q,b=2",
        "userId=Am%C3%A9lie,path=a/b:c%25%2C%3B%5C%22%20",
        "%C4%85=1;%20=%20",
    ];
    for value in values {
        assert_eq!(rewritten(value), value);
    }
}

#[test]
fn white_space_and_needless_escapes_are_normalised() {
    assert_eq!(rewritten(" a \t= 1 ; p = 2 ,, b=%61%2f"), "a=1;p=2,b=a/");
}

#[test]
fn a_malformed_member_is_skipped_and_its_neighbours_are_kept() {
    let malformed = [
        "",
        "k",
        "=v",
        "k y=v",
        "k=v w",
        "k=\"v\"",
        "k=a\\b",
        "k=%",
        "k=%2",
        "k=%zz",
        "k=\u{e9}",
        "k=v;",
        "k=v;;p",
        "k=v;=p",
        "k=v;p q",
        "k=v;p=a b",
        "k=v;p=%",
        "k(=v",
        "k=\u{1}",
    ];
    for member in malformed {
        assert_eq!(rewritten(&alloc::format!("a=1,{member},b=2")), "a=1,b=2", "{member:?}");
    }
}

#[test]
fn the_last_of_two_equal_keys_wins_in_the_place_of_the_first() {
    assert_eq!(rewritten("a=1;p,b=2,a=3,A=4"), "a=3,b=2,A=4");
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(read(&["k=aa%ffcc;p=%e9"])[0].value, "aa\u{fffd}cc");
    assert_eq!(read(&["k=;p=%e9"])[0].properties, [("p".to_owned(), Some("\u{fffd}".to_owned()))]);
}

#[test]
fn values_combine_and_their_commas_count() {
    let half = |key: &str, bytes: usize| alloc::format!("{key}={}", "v".repeat(bytes - 2));
    assert_eq!(read(&[&half("a", 4096), &half("b", 4095)]).len(), 2);
    assert_eq!(read(&[&half("a", 4096), &half("b", 4096)]).len(), 0);
    assert_eq!(read(&[&half("a", BYTES_MAX)]).len(), 1);
    assert_eq!(read(&[&half("a", BYTES_MAX + 1)]).len(), 0);
}

#[test]
fn the_first_64_members_are_read_and_written() {
    let list = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| alloc::format!("k{n}=v")).collect();
        members.join(",")
    };
    assert_eq!(rewritten(&list(64)), list(64));
    assert_eq!(rewritten(&list(65)), list(64));
    let member = |n: usize| Member::new(alloc::format!("k{n}"), "v".to_owned());
    let members: Vec<_> = (0..66).map(member).collect();
    assert_eq!(format(&members), list(64).as_bytes());
}

#[test]
fn a_member_that_does_not_fit_is_left_out_whole() {
    let member = |key: &str, bytes: usize| Member::new(key.to_owned(), "v".repeat(bytes));
    let members = [member("a", 8000), member("b", 400), member("c", 10)];
    let written = String::from_utf8(format(&members)).unwrap();
    assert!(written.len() <= BYTES_MAX && written.ends_with(",c=vvvvvvvvvv"));
    assert_eq!(read(&[&written]).len(), 2);
    assert_eq!(format(&[member("a", BYTES_MAX - 2)]).len(), BYTES_MAX);
    assert!(format(&[member("a", BYTES_MAX - 1)]).is_empty());
}

#[test]
fn keys_that_are_no_tokens_are_not_written() {
    let member = |key: &str| Member::new(key.to_owned(), "v".to_owned());
    let bad_property =
        Member { properties: alloc::vec![("p q".to_owned(), None)], ..member("good") };
    let members = [member(""), member("a b"), member("a=b"), member("\u{e9}"), bad_property];
    assert!(format(&members).is_empty());
    assert_eq!(format(&[member("a,"), member("a")]), b"a=v");
}
