//! Fuzz targets: laws that every input has to keep.
//!
//! Each target is a function from bytes to nothing, which panics when a law is broken. The same
//! function runs under libFuzzer (`run.sh`, with a binary of the same name in `fuzz_targets/`) and
//! over the files in `seeds/<target>/` with `cargo test`, so that a target cannot rot. An input
//! that broke a law becomes a seed.
//!
//! A new target is a function here, an entry in [`TARGETS`], a binary of three lines, an entry in
//! `Cargo.toml`, and a folder of seeds.

mod amqp;
mod guest;
mod input;
mod nats;
mod proxy_protocol;
mod resp;

pub use amqp::{amqp_frames, amqp_splice, amqp_table};
pub use guest::{carrier, component, envelope};
pub use nats::{nats_broker, nats_client, nats_headers, nats_splice};
pub use proxy_protocol::proxy_protocol;
pub use resp::{resp_command, resp_reply, resp_splice};

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name, which is also the name of their binary and of their folder of seeds.
pub const TARGETS: [(&str, Target); 14] = [
    ("amqp_frames", amqp_frames),
    ("amqp_table", amqp_table),
    ("amqp_splice", amqp_splice),
    ("nats_client", nats_client),
    ("nats_broker", nats_broker),
    ("nats_headers", nats_headers),
    ("nats_splice", nats_splice),
    ("envelope", envelope),
    ("carrier", carrier),
    ("component", component),
    ("proxy_protocol", proxy_protocol),
    ("resp_command", resp_command),
    ("resp_reply", resp_reply),
    ("resp_splice", resp_splice),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    /// A few thousand variations of a seed: cut, with one byte changed, doubled.
    fn variations(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let places = (0..seed.len()).step_by(seed.len() / 200 + 1);
        let changed = places.clone().flat_map(move |at| {
            [0, b'\n', b'\r', b' ', b':', b'9', 0xff].map(|byte| {
                let mut bytes = seed.to_vec();
                bytes[at] = byte;
                bytes
            })
        });
        let cut = places.map(|at| seed[..at].to_vec());
        changed.chain(cut).chain([seed.to_vec(), seed.repeat(2)])
    }

    #[test]
    fn every_target_keeps_its_laws_on_its_seeds_and_on_the_seeds_of_others() {
        for (name, target) in TARGETS {
            let own = seeds(name);
            assert!(!own.is_empty(), "{name} has seeds");
            for seed in own.iter().flat_map(|seed| variations(seed)) {
                target(&seed);
            }
            for (other, _) in TARGETS {
                seeds(other).iter().for_each(|seed| target(seed));
            }
        }
    }

    #[test]
    fn every_target_has_a_binary() {
        for (name, _) in TARGETS {
            let binary = format!("fuzz_targets/{name}.rs");
            assert!(include_str!("../Cargo.toml").contains(&binary), "{binary} is in Cargo.toml");
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&binary).exists());
        }
    }
}
