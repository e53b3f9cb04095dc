//! The generator of ids: xoshiro256++ (Blackman and Vigna, public domain).
//!
//! Seeded once per instance. Not for secrets: ids must be unlike each other, not unguessable.

use crate::id::{SpanId, TraceId};

/// A generator. The same seed gives the same ids.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// Seeds a generator. A seed of four zeros would answer zeros for ever, so it is replaced.
    pub fn new(seed: [u64; 4]) -> Self {
        if seed == [0; 4] { Self([1, 2, 3, 4]) } else { Self(seed) }
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A new trace-id, all of it random, so the random flag may be set.
    pub fn trace_id(&mut self) -> TraceId {
        loop {
            let id = TraceId { hi: self.next(), lo: self.next() };
            if id.is_valid() {
                return id;
            }
        }
    }

    /// A new span-id.
    pub fn span_id(&mut self) -> SpanId {
        loop {
            let id = self.next();
            if id != 0 {
                return SpanId(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Random::new([7; 4]), Random::new([7; 4]));
        assert_eq!(a.trace_id(), b.trace_id());
        assert_eq!(a.span_id(), b.span_id());
    }

    #[test]
    fn ids_are_valid_even_from_a_seed_of_zeros() {
        let mut random = Random::new([0; 4]);
        for _ in 0..1000 {
            assert!(random.trace_id().is_valid());
            assert!(random.span_id().is_valid());
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let mut random = Random::new([1, 2, 3, 4]);
        let mut seen = std::collections::HashSet::new();
        assert!((0..10_000).all(|_| seen.insert(random.span_id())));
    }
}
