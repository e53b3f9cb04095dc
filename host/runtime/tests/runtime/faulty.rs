//! The component that fails on demand: built once, for WebAssembly.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use spanbridge::{Builder, CodeCache, ComponentSource, Runtime};

/// Variables with which the test's own build must not reach this one.
const NOT_HANDED_DOWN: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// The bytes of the component in `tests/components/faulty`.
pub(crate) fn component() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = here.join("../../tests/components/faulty/Cargo.toml");
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--target", "wasm32-wasip2", "--quiet"]);
        cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target_dir);
        for name in NOT_HANDED_DOWN {
            cargo.env_remove(name);
        }
        assert!(cargo.status().unwrap().success(), "the test component does not build");
        std::fs::read(target_dir.join("wasm32-wasip2/release/faulty.wasm")).unwrap()
    })
}

/// Where the tests keep compiled components, so that each is compiled once.
pub(crate) fn code_cache() -> CodeCache {
    CodeCache::Dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"))
}

/// A runtime of it, to be set up further.
pub(crate) fn builder() -> Builder {
    Runtime::builder()
        .component(ComponentSource::Bytes(component().to_vec()))
        .code_cache(code_cache())
}

/// A runtime of it, and where its spans would go.
pub(crate) fn runtime() -> (Runtime, Arc<crate::spans::Recorder>) {
    let sink = Arc::<crate::spans::Recorder>::default();
    (builder().sink(sink.clone()).build().unwrap(), sink)
}
