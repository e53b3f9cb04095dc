//! Head sampling: parent-based, and consistent probability.

use spanbridge_guest::bindings::exports::spanbridge::tracing::messaging::{Sampler, VerdictBits};

use crate::host::{Parts, component, deliver, publish, settings};

const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[test]
fn an_unsampled_message_still_carries_context() {
    let mut settings = settings("nats");
    settings.sampler = Sampler::AlwaysOff;
    let mut component = component(settings);
    let answered = publish(&mut component, &Parts::to("a"), |message| message.end = 0);
    assert!(answered.spans.is_empty() && answered.open.is_empty());
    let message = Parts::to("a").apply(&answered.edits);
    assert!(message.get("traceparent").unwrap().ends_with("-02"));
    let got = deliver(&mut component, &message, |_| {});
    assert!(got.open.is_empty() && !got.has(VerdictBits::SAMPLED));
}

#[test]
fn a_parents_decision_is_followed_unless_the_route_says_otherwise() {
    let parts = Parts::to("a").header("traceparent", UNSAMPLED);
    for (parent_based, sampled) in [(true, false), (false, true)] {
        let mut settings = settings("nats");
        settings.parent_based = parent_based;
        let mut component = component(settings);
        let answered = deliver(&mut component, &parts, |_| {});
        assert_eq!(answered.has(VerdictBits::SAMPLED), sampled);
    }
}

#[test]
fn a_ratio_keeps_its_share_and_says_so_in_the_tracestate() {
    let mut settings = settings("nats");
    settings.sampler = Sampler::Ratio(0.25);
    let mut component = component(settings);
    let mut sampled = 0;
    for _ in 0..4000 {
        let answered = publish(&mut component, &Parts::to("a"), |_| {});
        let message = Parts::to("a").apply(&answered.edits);
        let kept = answered.has(VerdictBits::SAMPLED);
        let says = message.get("tracestate").unwrap().ends_with(",ot=th:c");
        assert_eq!(kept, says);
        let randomness = answered.verdict.trace_lo & ((1 << 56) - 1);
        assert_eq!(kept, randomness >= 0xc0_0000_0000_0000, "consistent with the trace-id");
        sampled += usize::from(kept);
    }
    // Four standard deviations of a binomial of 4000 at one quarter.
    assert!((890..=1110).contains(&sampled), "{sampled}");
}

#[test]
fn a_traces_own_randomness_decides_and_the_rest_of_ot_is_kept() {
    let mut settings = settings("nats");
    (settings.sampler, settings.parent_based) = (Sampler::Ratio(0.5), false);
    let mut component = component(settings);
    for (rv, kept) in [("rv:80000000000000", true), ("rv:7fffffffffffff", false)] {
        let tracestate = format!("x=1,ot={rv};z:9");
        let parts =
            Parts::to("a").header("traceparent", UNSAMPLED).header("tracestate", &tracestate);
        let answered = publish(&mut component, &parts, |_| {});
        assert_eq!(answered.has(VerdictBits::SAMPLED), kept);
        if kept {
            assert_eq!(answered.spans[0].trace_state, format!("ot=th:8;{rv};z:9,x=1"));
        }
    }
}

#[test]
fn a_ratio_out_of_range_is_refused() {
    let mut settings = settings("nats");
    settings.sampler = Sampler::Ratio(1.5);
    let error = spanbridge_guest::component::Component::new([1; 4]).open(0, settings).unwrap_err();
    assert_eq!(error, "expected a sampling ratio of 0.0 to 1.0, found more than 1.0");
}
