//! What an instance's generator of ids is seeded with.

use std::io;

/// Random bytes for one instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Random {
    /// From the operating system.
    System,
    /// The same in every run: for replays. Not secret, and not meant to be.
    Replayed(u64),
}

impl Random {
    /// The source of the instance with this ordinal number. With a seed, every instance has a
    /// sequence of its own: two that began alike would give two spans the same id.
    pub(crate) fn of_instance(seed: Option<u64>, ordinal: u64) -> Self {
        match seed {
            None => Self::System,
            Some(seed) => {
                let mut state = seed;
                let base = split_mix(&mut state);
                Self::Replayed(base ^ ordinal.wrapping_mul(0xd1b5_4a32_d192_ed03))
            }
        }
    }

    /// Fills `bytes`.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::System => getrandom::fill(bytes).map_err(io::Error::other),
            Self::Replayed(state) => {
                for chunk in bytes.chunks_mut(8) {
                    let next = split_mix(state).to_le_bytes();
                    chunk.copy_from_slice(&next[..chunk.len()]);
                }
                Ok(())
            }
        }
    }
}

/// SplitMix64, by Steele, Lea and Flood: every state gives another number.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: Option<u64>, ordinal: u64) -> [u8; 20] {
        let mut bytes = [0; 20];
        Random::of_instance(seed, ordinal).fill(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_seed_replays_and_instances_differ() {
        assert_eq!(bytes(Some(7), 0), bytes(Some(7), 0));
        assert_ne!(bytes(Some(7), 0), bytes(Some(7), 1));
        assert_ne!(bytes(Some(7), 0), bytes(Some(8), 0));
        assert_ne!(bytes(None, 0), bytes(None, 0));
    }
}
