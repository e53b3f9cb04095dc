//! The head sampler of a route.
//!
//! A ratio is a consistent probability (OpenTelemetry, "TraceState: Probability Sampling"): a trace
//! is kept if its 56 bits of randomness are not below a threshold, so that every participant with
//! the same ratio keeps the same traces, and the threshold goes out as `ot=th:…`.

use alloc::format;
use alloc::string::String;

use crate::bindings::exports::spanbridge::tracing::messaging as contract;
use crate::id::TraceId;
use crate::ot_sampling::{OtSampling, Randomness, Threshold};

/// A sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampler {
    On,
    Off,
    Ratio(Threshold),
}

impl Sampler {
    /// Takes a sampler of the contract. A ratio is 0.0 to 1.0; one below 2^-56, the smallest
    /// probability that a threshold can say, samples nothing.
    pub(crate) fn new(sampler: contract::Sampler) -> Result<Self, String> {
        match sampler {
            contract::Sampler::AlwaysOn => Ok(Self::On),
            contract::Sampler::AlwaysOff => Ok(Self::Off),
            contract::Sampler::Ratio(ratio) if !(0.0..=1.0).contains(&ratio) => {
                // In words: the digits of a floating-point number take a tenth of the component.
                let found = match ratio {
                    ratio if ratio < 0.0 => "less than 0.0",
                    ratio if ratio > 1.0 => "more than 1.0",
                    _ => "no number",
                };
                Err(format!("expected a sampling ratio of 0.0 to 1.0, found {found}"))
            }
            contract::Sampler::Ratio(ratio) => {
                Ok(Threshold::from_probability(ratio).map_or(Self::Off, Self::Ratio))
            }
        }
    }

    /// Answers whether a trace of this randomness is kept.
    pub(crate) fn samples(&self, randomness: Randomness) -> bool {
        match self {
            Self::On => true,
            Self::Off => false,
            Self::Ratio(threshold) => threshold.samples(randomness),
        }
    }

    /// Decides about a trace that starts here; the threshold is some where `ot=th:…` is to say so.
    pub(crate) fn decide(&self, trace_id: TraceId) -> (bool, Option<Threshold>) {
        let sampled = self.samples(Randomness::of_trace_id(trace_id));
        (sampled, self.threshold().filter(|_| sampled))
    }

    /// The threshold of a ratio.
    pub(crate) fn threshold(&self) -> Option<Threshold> {
        match self {
            Self::Ratio(threshold) => Some(*threshold),
            Self::On | Self::Off => None,
        }
    }
}

/// The `ot` value of a trace that starts here.
pub(crate) fn ot_of(threshold: Threshold) -> OtSampling<'static> {
    let mut ot = OtSampling::default();
    ot.threshold = Some(threshold);
    ot
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(lo: u64) -> TraceId {
        TraceId { hi: 1, lo }
    }

    #[test]
    fn half_of_all_randomness_is_above_the_threshold_of_one_half() {
        let half = Sampler::new(contract::Sampler::Ratio(0.5)).unwrap();
        assert_eq!(half.decide(id(1 << 55)), (true, Threshold::parse(b"8")));
        assert_eq!(half.decide(id((1 << 55) - 1)), (false, None));
    }

    #[test]
    fn the_ends_of_the_range_are_all_and_nothing() {
        let all = Sampler::new(contract::Sampler::Ratio(1.0)).unwrap();
        let none = Sampler::new(contract::Sampler::Ratio(0.0)).unwrap();
        assert!(all.decide(id(0)).0 && !none.decide(id((1 << 56) - 1)).0);
    }

    #[test]
    fn a_ratio_out_of_range_is_refused_with_what_was_found() {
        for (ratio, found) in [
            (-0.1, "less than 0.0"),
            (1.5, "more than 1.0"),
            (f64::INFINITY, "more than 1.0"),
            (f64::NAN, "no number"),
        ] {
            let error = Sampler::new(contract::Sampler::Ratio(ratio)).unwrap_err();
            assert!(error.ends_with(found), "{error}");
        }
    }
}
