use alloc::string::String;

use super::*;

fn rewritten(value: &str) -> String {
    let mut out = Vec::new();
    OtSampling::parse(value.as_bytes()).write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn valid_sub_keys_are_normalised_and_unknown_ones_kept() {
    let table = [
        ("", ""),
        ("th:0", "th:0"),
        ("th:00", "th:0"),
        ("th:c000", "th:c"),
        ("rv:6e6d1a75832a2f;th:c", "th:c;rv:6e6d1a75832a2f"),
        ("p:8;;rv:00000000000000;x", "rv:00000000000000;p:8;x"),
    ];
    for (value, written) in table {
        assert_eq!(rewritten(value), written, "{value}");
    }
}

#[test]
fn invalid_thresholds_and_randomness_are_dropped() {
    let invalid = [
        "th:",
        "th:x",
        "th:C",
        "th:+1",
        "th:100000000000000",
        "rv:",
        "rv:1234567890abc",
        "rv:1234567890abcde",
        "rv:1234567890ABCD",
    ];
    for part in invalid {
        assert_eq!(rewritten(&alloc::format!("{part};a:1")), "a:1", "{part}");
    }
}

#[test]
fn a_value_of_256_bytes_is_kept_and_a_longer_one_is_not() {
    let value = |bytes: usize| alloc::format!("a:{}", "x".repeat(bytes - 2));
    assert_eq!(rewritten(&value(256)).len(), 256);
    assert_eq!(rewritten(&value(257)), "");
}

#[test]
fn what_does_not_fit_behind_a_new_threshold_is_left_out() {
    let long = alloc::format!("a:1;b:{}", "x".repeat(250));
    let mut value = OtSampling::parse(long.as_bytes());
    value.threshold = Some(Threshold::ALWAYS);
    let mut out = Vec::new();
    value.write(&mut out);
    assert_eq!(out, b"th:0;a:1");
}

#[test]
fn a_threshold_rejects_what_lies_below_it() {
    let table = [
        ("00000000000000", "0", true),
        ("6e6d1a75832a2f", "6e6d1a75832a2f", true),
        ("6e6d1a75832a2e", "6e6d1a75832a2f", false),
        ("7fffffffffffff", "8", false),
        ("80000000000000", "8", true),
    ];
    for (randomness, threshold, sampled) in table {
        let randomness = Randomness::parse(randomness.as_bytes()).unwrap();
        let threshold = Threshold::parse(threshold.as_bytes()).unwrap();
        assert_eq!(threshold.samples(randomness), sampled);
    }
}

#[test]
fn randomness_comes_from_rv_and_else_from_the_last_seven_bytes_of_the_trace_id() {
    let id = TraceId { hi: 1, lo: 0xff6e_6d1a_7583_2a2f };
    let without = OtSampling::parse(b"th:8");
    assert_eq!(without.randomness_of(id).value(), 0x6e_6d1a_7583_2a2f);
    let with = OtSampling::parse(b"rv:00000000000001");
    assert_eq!(with.randomness_of(id).value(), 1);
}

#[test]
fn a_probability_becomes_the_nearest_short_threshold() {
    let table = [
        (1.0, "th:0"),
        (0.5, "th:8"),
        (0.25, "th:c"),
        (1.0 / 3.0, "th:aaab"),
        (0.1, "th:e666"),
        (0.01, "th:fd70a"),
        (0.001, "th:ffbe77"),
        (1.0 / (1u64 << 56) as f64, "th:ffffffffffffff"),
    ];
    for (probability, written) in table {
        let threshold = Threshold::from_probability(probability).unwrap();
        let mut out = Vec::new();
        OtSampling { threshold: Some(threshold), ..OtSampling::default() }.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), written, "{probability}");
        assert!((threshold.probability() / probability - 1.0).abs() < 1e-3, "{probability}");
        assert!((threshold.adjusted_count() * threshold.probability() - 1.0).abs() < 1e-9);
    }
    for outside in [0.0, -0.5, 1.01, f64::NAN, 1e-20] {
        assert_eq!(Threshold::from_probability(outside), None, "{outside}");
    }
}
