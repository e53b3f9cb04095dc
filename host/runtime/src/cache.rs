//! A private cache of compiled components.
//!
//! ```text
//! <dir>/<sha256 of component and engine settings>.code
//! "spanbridge code 1\n" │ sha256 of what follows │ native code
//! ```
//!
//! Native code is run as it is read, so a file is used only when it lies in a directory that
//! nobody else can write to, belongs to this user, cannot be read or written by others, and is
//! whole. Nothing else in this crate loads native code. A cache that cannot be used is no error:
//! the component is compiled, as without one.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::limits::CACHED_CODE_BYTES_MAX;

const MAGIC: &[u8] = b"spanbridge code 1\n";
const DIGEST: usize = 32;

/// Where compiled components are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CodeCache {
    /// In `$XDG_CACHE_HOME/spanbridge`, or `~/.cache/spanbridge`; nowhere without a home.
    #[default]
    Home,
    /// In this directory, which is made if it is missing.
    Dir(PathBuf),
    /// Nowhere: every start compiles.
    Off,
}

impl CodeCache {
    /// The directory, if there is to be one.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Dir(dir) => Some(dir.clone()),
            Self::Home => home_dir(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")),
        }
    }
}

/// By the XDG Base Directory Specification, a path that is not absolute counts as unset.
fn home_dir(
    cache_home: Option<std::ffi::OsString>,
    home: Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let absolute = |path: std::ffi::OsString| Some(PathBuf::from(path)).filter(|p| p.is_absolute());
    let base =
        cache_home.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".cache")));
    Some(base?.join("spanbridge"))
}

/// What a cache did, for the one who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    /// The component came from the cache.
    Hit,
    /// It was compiled, and is in the cache now.
    Stored,
    /// It was compiled, and could not be put into the cache.
    Unstored,
}

/// Compiles a component, or loads what was compiled before.
pub(crate) fn compile(
    engine: &Engine,
    wasm: &[u8],
    dir: Option<&Path>,
) -> wasmtime::Result<(Component, Cached)> {
    let Some(dir) = dir else {
        return Ok((Component::from_binary(&engine.inner, wasm)?, Cached::Unstored));
    };
    let name = name(engine, wasm);
    if let Some(component) = load(engine, dir, &name) {
        return Ok((component, Cached::Hit));
    }
    let component = Component::from_binary(&engine.inner, wasm)?;
    let stored = component.serialize().is_ok_and(|code| store(dir, &name, &code).is_ok());
    Ok((component, if stored { Cached::Stored } else { Cached::Unstored }))
}

/// The file of a component compiled by this engine: the version of the engine, its settings and
/// the machine are in its hash.
fn name(engine: &Engine, wasm: &[u8]) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut sha = Sha(Sha256::new());
    engine.inner.precompile_compatibility_hash().hash(&mut sha);
    sha.0.update(Sha256::digest(wasm));
    let mut name = String::with_capacity(2 * DIGEST + 5);
    for byte in sha.0.finalize() {
        name.push_str(&format!("{byte:02x}"));
    }
    name + ".code"
}

fn load(engine: &Engine, dir: &Path, name: &str) -> Option<Component> {
    if !is_private(&fs::symlink_metadata(dir).ok()?, true) {
        return None;
    }
    // Looked at through the open file, so that it cannot be exchanged in between. Not through a
    // symbolic link: its target's directory may be anybody's.
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(no_follow).open(dir.join(name)).ok()?;
    let metadata = file.metadata().ok()?;
    if !is_private(&metadata, false) || metadata.len() > CACHED_CODE_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    (&file).take(CACHED_CODE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let (digest, code) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<DIGEST>()?;
    if Sha256::digest(code)[..] != digest[..] {
        return None;
    }
    // SAFETY: the code was written by this module: its directory and the file belong to this user
    // and can be written by no other, and it is whole. That an engine of the same version and
    // settings compiled it is in its name, and the engine checks that again.
    unsafe { Component::deserialize(&engine.inner, code) }.ok()
}

/// Answers whether this is a file or directory that only this user can read and write.
fn is_private(metadata: &fs::Metadata, is_dir: bool) -> bool {
    let kind = if is_dir { metadata.is_dir() } else { metadata.is_file() };
    kind && metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o077 == 0
}

fn store(dir: &Path, name: &str, code: &[u8]) -> io::Result<()> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if !is_private(&fs::symlink_metadata(dir)?, true) {
        return Err(io::Error::other("directory is not private"));
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = dir.join(format!("{name}.{}.{number}", process::id()));
    let written = write(&temporary, code).and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, code: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(MAGIC)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_directory_follows_the_xdg_specification() {
        let dir = |cache_home: Option<&str>, home: Option<&str>| {
            home_dir(cache_home.map(Into::into), home.map(Into::into))
        };
        for (cache_home, home, expected) in [
            (Some("/c"), Some("/h"), Some("/c/spanbridge")),
            (None, Some("/h"), Some("/h/.cache/spanbridge")),
            (Some(""), Some("/h"), Some("/h/.cache/spanbridge")),
            (Some("c"), Some("/h"), Some("/h/.cache/spanbridge")),
            (None, Some("h"), None),
            (None, None, None),
        ] {
            assert_eq!(dir(cache_home, home), expected.map(PathBuf::from));
        }
        assert_eq!(CodeCache::Off.dir(), None);
    }
}
