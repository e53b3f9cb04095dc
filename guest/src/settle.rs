//! The end of spans that stayed open: publishes that a broker answered, work that was settled.

use alloc::vec::Vec;

use crate::attributes::{Attributes, Limits};
use crate::bindings::exports::spanbridge::tracing::messaging::{Outcome, Settlement};
use crate::semconv;
use crate::span;

/// The beginning left room for these, and none of their values is long.
const UNLIMITED: Limits = Limits { value_bytes_max: usize::MAX, attributes_max: u32::MAX };

/// How an outcome is shown.
struct Shown {
    name: &'static str,
    error: bool,
}

/// Shows an outcome of the contract; `None` for a newer host's.
fn shown(outcome: u32) -> Option<Shown> {
    const OUTCOMES: [(Outcome, &str, bool); 12] = [
        (Outcome::Confirmed, "confirmed", false),
        (Outcome::Returned, "returned", true),
        (Outcome::Refused, "refused", true),
        (Outcome::Unanswered, "unanswered", false),
        (Outcome::Ack, "ack", false),
        (Outcome::Nack, "nack", true),
        (Outcome::Requeue, "requeue", false),
        (Outcome::Reject, "reject", true),
        (Outcome::Term, "term", true),
        (Outcome::Expired, "expired", true),
        (Outcome::Claimed, "claimed", false),
        (Outcome::Abandoned, "abandoned", false),
    ];
    let &(of, name, error) = OUTCOMES.get(usize::try_from(outcome).ok()?)?;
    debug_assert!(of as u32 == outcome, "the table follows the order of the contract");
    Some(Shown { name, error })
}

/// Ends each span that is open, in the order of the settlements. Answers a span run.
pub(crate) fn settle(settlements: &[Settlement], arena: &[u8]) -> Vec<u8> {
    // Status, times and three attributes.
    const END_BYTES: usize = 160;
    let mut out = Vec::with_capacity(arena.len() + settlements.len() * END_BYTES);
    for settlement in settlements.iter().filter(|settlement| settlement.open != 0) {
        span::run(&mut out, |out| end(out, settlement, arena));
    }
    out
}

fn end(out: &mut Vec<u8>, settlement: &Settlement, arena: &[u8]) {
    let (beginning, rest) = arena[settlement.at as usize..].split_at(settlement.open as usize);
    let detail = &rest[..settlement.detail as usize];
    out.extend_from_slice(beginning);
    span::times(out, settlement.start, settlement.end);
    let mut to = Attributes::new(out, UNLIMITED, 0, 0);
    let Some(shown) = shown(settlement.outcome) else { return };
    to.text(&semconv::OUTCOME, shown.name);
    if settlement.delay != 0 {
        to.seconds(&semconv::REDELIVERY_DELAY, settlement.delay);
    }
    if shown.error {
        to.text(&semconv::ERROR_TYPE, shown.name);
        span::status_error(out, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_of_the_contract_is_shown() {
        for outcome in 0..=Outcome::Abandoned as u32 {
            assert!(shown(outcome).is_some(), "{outcome}");
        }
        assert!(shown(Outcome::Abandoned as u32 + 1).is_none());
    }
}
