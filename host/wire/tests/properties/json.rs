//! Laws of the JSON scanner.

use proptest::prelude::*;
use spanbridge_wire::json::{self, Value};
use spanbridge_wire::nats::{Info, TlsSaid};
use spanbridge_wire::splice;

/// A JSON value, spelled with random white space.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        "\"([ !#-\\[\\]-~é]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,10}\"",
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        let member = ("\"[a-d]{0,2}\"", "[ \t\r\n]{0,2}", inner.clone());
        prop_oneof![
            (proptest::collection::vec(inner, 0..4), "[ \n]{0,2}")
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(" ,"))),
            proptest::collection::vec(member, 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, space, value)| format!("{space}{key}{space}:{space}{value}{space}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn members_are_found_as_they_are_written(values in proptest::collection::vec(value(), 3)) {
        let [first, second, third] = &values[..] else { unreachable!() };
        let object = format!(" {{ \"x\" : {first} ,\"y\":{second}\n, \"z\": {third} }} ");
        let found = json::find(object.as_bytes(), [b"z", b"none", b"x", b"y"]);
        let [z, none, x, y] = found.expect("the generator writes good JSON");
        prop_assert_eq!(x.map(Value::raw), Some(first.as_bytes()));
        prop_assert_eq!(y.map(Value::raw), Some(second.as_bytes()));
        prop_assert_eq!(z.map(Value::raw), Some(third.as_bytes()));
        prop_assert_eq!(none, None);
        for found in [x, y, z].into_iter().flatten() {
            if found.raw().starts_with(b"\"") {
                prop_assert!(found.as_text(1_000).is_some(), "a checked string is text");
            }
        }
    }

    #[test]
    fn a_cut_object_is_refused(value in value(), cut in any::<prop::sample::Index>()) {
        let object = format!("{{\"x\":{value}}}");
        let cut = cut.index(object.len());
        prop_assert_eq!(json::find(&object.as_bytes()[..cut], [b"x"]), None);
    }

    /// What an INFO says about TLS is changed, and every other byte stays.
    #[test]
    fn an_info_says_what_is_true_and_nothing_else_changes(
        values in proptest::collection::vec(value(), 2),
        tls in proptest::collection::vec((0..3_usize, "true|false|null|\"true\""), 0..4),
        required in any::<bool>(),
        verify in any::<bool>(),
    ) {
        let names = ["tls_required", "tls_available", "tls_verify"];
        let tls = tls.iter().map(|(name, value)| format!("\"{}\" :{value} ,", names[*name]));
        let tls: String = tls.collect();
        let json = format!("{{ {tls} \"x\" : {} ,\"nonce\": {}}} ", values[0], values[1]);
        let plan = TlsSaid { required, verify }.plan(json.as_bytes()).expect("it is an object");
        prop_assert!(splice::len_after(json.len(), plan.as_slice()).is_some());
        let mut out = Vec::new();
        splice::write(json.as_bytes(), plan.as_slice(), &mut out);
        let info = Info::parse(&out).expect("it still is one");
        prop_assert_eq!((info.tls_required, info.tls_verify), (required, verify));
        prop_assert!(!info.tls_available);
        let found = json::find(&out, [b"x".as_slice(), b"nonce"]).expect("it still is one");
        let kept = found.map(|value| value.map(Value::raw));
        prop_assert_eq!(kept, [Some(values[0].as_bytes()), Some(values[1].as_bytes())]);
        // Saying it again changes nothing.
        let again = TlsSaid { required, verify }.plan(&out).expect("it still is one");
        prop_assert!(again.as_slice().is_empty());
    }

    #[test]
    fn noise_does_not_panic(bytes in "[\\[\\]{}\",:\\\\u0-9a-f \\-.]{0,60}") {
        let found = json::find(bytes.as_bytes(), [b"".as_slice(), b"a"]);
        for value in found.into_iter().flatten().flatten() {
            let _text = value.as_text(60);
            let _number = value.as_u64();
        }
    }
}
