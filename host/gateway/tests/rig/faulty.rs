//! A component that fails as a destination tells it to.

use std::path::Path;
use std::process::Command;

/// Variables with which this test's own build must not reach that of the component.
const NOT_HANDED_DOWN: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// The component of `tests/components/faulty`, which fails as a destination tells it to.
pub(crate) fn faulty() -> Vec<u8> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = manifest.join("../../tests/components/faulty/Cargo.toml");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--target", "wasm32-wasip2", "--quiet"]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target_dir);
    for name in NOT_HANDED_DOWN {
        cargo.env_remove(name);
    }
    assert!(cargo.status().unwrap().success(), "the component does not build");
    std::fs::read(target_dir.join("wasm32-wasip2/release/faulty.wasm")).unwrap()
}
