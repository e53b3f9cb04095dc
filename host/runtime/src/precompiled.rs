//! The default component as native code: written with a compiler, run without one.
//!
//! ```text
//! "spanbridge component 1\n" │ sha256 of the component │ its size, u64 little-endian │ native code
//! ```
//!
//! A build without the feature `compiler` has this as a part of itself, and no way to take it, or
//! any other code, from a file.

#[cfg(feature = "compiler")]
use sha2::{Digest as _, Sha256};
#[cfg(any(test, not(feature = "compiler")))]
use wasmtime::component::Component;

#[cfg(not(feature = "compiler"))]
use crate::component::Loaded;
#[cfg(any(test, not(feature = "compiler")))]
use crate::component::{ComponentInfo, hex};
#[cfg(not(feature = "compiler"))]
use crate::engine::Engine;
use crate::error::Error;
#[cfg(feature = "compiler")]
use crate::{engine, source::ComponentSource};

const MAGIC: &[u8] = b"spanbridge component 1\n";

/// Compiles a component for builds of this crate without the feature `compiler`: for any processor
/// of this one's architecture, and for processes that are somebody else's.
///
/// The answer is what `SPANBRIDGE_PRECOMPILED` names at the build of such a crate, of the same
/// version as this one.
///
/// # Errors
///
/// [`Error::is_component`] when it cannot be read, is no component, or is one for another version
/// of the contract.
#[cfg(feature = "compiler")]
pub fn precompile(source: &ComponentSource) -> Result<Vec<u8>, Error> {
    let wasm = source.read()?;
    let engine = engine::for_guests()
        .map_err(|error| Error::system("no compiler for this machine").because(error))?;
    let code = engine
        .precompile_component(&wasm)
        .map_err(|error| Error::component("it does not compile").because(error))?;
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&Sha256::digest(&wasm));
    file.extend_from_slice(&(wasm.len() as u64).to_le_bytes());
    file.extend_from_slice(&code);
    Ok(file)
}

/// Loads what is built in.
#[cfg(not(feature = "compiler"))]
pub(crate) fn load(engine: &Engine) -> Result<Loaded, Error> {
    static BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spanbridge.code"));
    let (info, code) = read(BUILT_IN)
        .ok_or_else(|| Error::component("expected precompiled code, found something else"))?;
    let component = deserialize(&engine.inner, code)
        .map_err(|error| Error::component("its code is for another engine").because(error))?;
    Loaded::check(engine, component, info)
}

#[cfg(any(test, not(feature = "compiler")))]
fn deserialize(engine: &wasmtime::Engine, code: &'static [u8]) -> wasmtime::Result<Component> {
    // SAFETY: the code is a constant of this crate, as trusted as what the Rust compiler made of
    // the rest of it. Whether an engine of the same version and settings compiled it, for this
    // processor, is in it, and the engine compares that before it uses any of it.
    unsafe { Component::deserialize(engine, code) }
}

/// Reads what is written in front of the code.
#[cfg(any(test, not(feature = "compiler")))]
fn read(file: &[u8]) -> Option<(ComponentInfo, &[u8])> {
    let (sha256, rest) = file.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    let (bytes, code) = rest.split_first_chunk()?;
    let bytes = usize::try_from(u64::from_le_bytes(*bytes)).ok()?;
    let origin = "built in".to_owned();
    Some((ComponentInfo { generation: 0, origin, bytes, sha256: hex(sha256) }, code))
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    use super::*;
    use crate::engine::Engine;

    #[test]
    fn code_for_guests_loads_into_the_engine_of_guests_and_into_no_other() {
        let file: &'static [u8] = precompile(&ComponentSource::Embedded).unwrap().leak();
        let (info, code) = read(file).unwrap();
        assert_eq!(info.sha256, hex(&Sha256::digest(ComponentSource::embedded())));
        assert_eq!(info.bytes, ComponentSource::embedded().len());
        assert!(deserialize(&engine::for_guests().unwrap(), code).is_ok());
        let refused = deserialize(&Engine::start().unwrap().inner, code).unwrap_err();
        assert!(format!("{refused:#}").contains("Module was compiled with"), "{refused:#}");
        assert!(read(&file[..MAGIC.len() + 39]).is_none() && read(b"\x7fELF").is_none());
    }

    #[test]
    fn what_is_no_component_is_not_compiled() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\xff"] {
            assert!(
                precompile(&ComponentSource::Bytes(bytes.to_vec())).unwrap_err().is_component()
            );
        }
    }
}
