//! What `SPANBRIDGE.INFO` says: lines of names and numbers, in sections, as `INFO` has them.

use std::fmt::Write as _;

use spanbridge::ComponentInfo;
use spanbridge::metrics::Counters;

/// Counters of the runtime that can move in this process. The others are a gateway's.
const SHOWN: [&str; 18] = [
    "messages_seen",
    "messages_untraced",
    "headers_skipped",
    "bodies_left_alone",
    "injections_skipped",
    "component_failures",
    "component_bypasses",
    "instances_made",
    "instances_recycled",
    "spans_queued",
    "spans_exported",
    "spans_dropped",
    "export_requests",
    "export_retries",
    "export_failures",
    "env_warnings",
    "resources_overflow",
    "resource_values_cut",
];

/// Visits the counters, each with the reason that splits it.
pub(crate) fn counters(counters: &Counters, mut visit: impl FnMut(&str, u64)) {
    counters.for_each(|sample| {
        if !SHOWN.contains(&sample.name) {
            return;
        }
        match sample.label {
            Some((_, reason)) => visit(&format!("{}_{reason}", sample.name), sample.value),
            None => visit(sample.name, sample.value),
        }
    });
}

/// The whole text.
pub(crate) fn text(
    component: &ComponentInfo,
    is_enabled: bool,
    is_replica: bool,
    numbers: impl FnOnce(&mut dyn FnMut(&str, u64)),
) -> String {
    let word = |it: bool| if it { "yes" } else { "no" };
    let mut text = format!(
        "# Spanbridge\r\nversion:{}\r\ncomponent_sha256:{}\r\nenabled:{}\r\nreplica:{}\r\n\r\n\
         # Counters\r\n",
        env!("CARGO_PKG_VERSION"),
        component.sha256,
        word(is_enabled),
        word(is_replica),
    );
    numbers(&mut |name, value| {
        // Into a string nothing fails.
        let _ = write!(text, "{name}:{value}\r\n");
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_that_is_shown_exists() {
        let mut seen = Vec::new();
        Counters::default().for_each(|sample| seen.push(sample.name));
        for name in SHOWN {
            assert!(seen.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_counter_with_reasons_has_a_line_for_each() {
        let counted = Counters::default();
        counted.spans_dropped.queue_full.add(3);
        let mut found = None;
        counters(&counted, |name, value| {
            if name == "spans_dropped_queue_full" {
                found = Some(value);
            }
            assert!(!name.starts_with("sessions"), "{name} is a gateway's");
        });
        assert_eq!(found, Some(3));
    }
}
