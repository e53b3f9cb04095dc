//! What the simulations share: the spans that a model expects, and reads that end anywhere.

use std::collections::{BTreeMap, BTreeSet};

use spanbridge_gateway::relay::Side;

use crate::random::Random;
use crate::spans::Span;

/// How often each span is expected, by kind, name and outcome.
#[derive(Debug, Default)]
pub(crate) struct Expected(BTreeMap<(i32, String, Option<String>), u64>);

impl Expected {
    pub(crate) fn add(&mut self, kind: i32, name: String, outcome: Option<&str>) {
        *self.0.entry((kind, name, outcome.map(str::to_owned))).or_default() += 1;
    }

    /// The spans that were made are these, and no others.
    pub(crate) fn check(self, spans: Vec<Span>) {
        let mut made = Self::default();
        for span in spans {
            made.add(span.kind, span.name.clone(), span.outcome());
        }
        let differs: BTreeSet<_> = made.0.keys().chain(self.0.keys()).collect();
        let differs: Vec<_> = differs
            .into_iter()
            .map(|shape| (shape, made.0.get(shape), self.0.get(shape)))
            .filter(|(_, made, expected)| made != expected)
            .collect();
        assert!(differs.is_empty(), "made, expected: {differs:#?}");
    }
}

/// Hands out both directions in pieces that end anywhere, in turns.
pub(crate) fn in_turns<'a>(
    random: &mut Random,
    mut client: &'a [u8],
    mut broker: &'a [u8],
    mut feed: impl FnMut(Side, &[u8]),
) {
    while !client.is_empty() || !broker.is_empty() {
        let longest = random.pick(&[1, 3, 20, 200, 5000]);
        let (side, rest) = match random.below(2) {
            0 => (Side::Client, &mut client),
            _ => (Side::Broker, &mut broker),
        };
        let length = (random.below(longest) as usize + 1).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        *rest = behind;
        if !piece.is_empty() {
            feed(side, piece);
        }
    }
}
