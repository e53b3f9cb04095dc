//! Which component is loaded, where there is a compiler to load it with.
//!
//! Only WebAssembly is taken. A file of native code is refused whatever its name: see
//! [`CodeCache`] for the one place that native code comes from.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::cache::{self, Cached, CodeCache};
use crate::component::{ComponentInfo, Loaded, hex};
use crate::engine::Engine;
use crate::error::Error;
use crate::limits::COMPONENT_BYTES_MAX;
use crate::metrics::Counters;

/// The component that was built with this crate.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spanbridge.wasm"));

/// Where the component comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ComponentSource {
    /// The one that was built with this crate.
    #[default]
    Embedded,
    /// A file.
    Path(PathBuf),
    /// The bytes of a component.
    Bytes(Vec<u8>),
}

impl ComponentSource {
    /// The most bytes that a component may have.
    pub const BYTES_MAX: u64 = COMPONENT_BYTES_MAX;

    /// Reads, compiles and checks the component, the `generation`-th of its runtime.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        generation: u64,
        code_cache: &CodeCache,
        counters: &Counters,
    ) -> Result<Loaded, Error> {
        let wasm = self.read()?;
        let sha256 = hex(&Sha256::digest(&wasm));
        let info = ComponentInfo { generation, origin: self.origin(), bytes: wasm.len(), sha256 };
        let (component, cached) = cache::compile(engine, &wasm, code_cache.dir().as_deref())
            .map_err(|error| Error::component("it does not compile").because(error))?;
        match cached {
            Cached::Hit => counters.code_cache.hit.add(1),
            Cached::Stored => counters.code_cache.stored.add(1),
            Cached::Unstored => counters.code_cache.unstored.add(1),
        }
        Loaded::check(engine, component, info)
    }

    /// Where it comes from, for people.
    fn origin(&self) -> String {
        match self {
            Self::Embedded => "embedded".to_owned(),
            Self::Path(path) => path.display().to_string(),
            Self::Bytes(_) => "bytes".to_owned(),
        }
    }

    /// The bytes of the component that was built with this crate.
    pub fn embedded() -> &'static [u8] {
        EMBEDDED
    }

    /// Reads the component, and looks at its first bytes.
    pub(crate) fn read(&self) -> Result<Cow<'_, [u8]>, Error> {
        let bytes = match self {
            Self::Embedded => Cow::Borrowed(EMBEDDED),
            Self::Bytes(bytes) => Cow::Borrowed(&bytes[..]),
            Self::Path(path) => Cow::Owned(read(path)?),
        };
        check_layer(&bytes).map_err(|found| {
            let expected = "expected a WebAssembly component";
            Error::component(match self {
                Self::Path(path) => format!("{}: {expected}, found {found}", path.display()),
                _ => format!("{expected}, found {found}"),
            })
        })?;
        Ok(bytes)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            Error::component(format!("{} cannot be read", path.display())).because(error)
        })?;
    if read as u64 > COMPONENT_BYTES_MAX {
        let text =
            format!("{}: expected at most {COMPONENT_BYTES_MAX} bytes, found more", path.display());
        return Err(Error::component(text));
    }
    Ok(bytes)
}

/// Looks at magic, version and layer (component model, "Component Definitions"). The error says
/// what was found.
fn check_layer(bytes: &[u8]) -> Result<(), &'static str> {
    match bytes {
        [] => Err("an empty file"),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err("a core module"),
        [b'\0', b'a', b's', b'm', ..] => Err("WebAssembly of another layer"),
        [0x7f, b'E', b'L', b'F', ..] => Err("native code"),
        _ => Err("something else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_component_is_read() {
        let component = b"\0asm\x0d\0\x01\0rest";
        assert_eq!(check_layer(component), Ok(()));
        for (bytes, found) in [
            (&b""[..], "an empty file"),
            (b"\0asm\x01\0\0\0", "a core module"),
            (b"\0asm\x0d\0\x02\0", "WebAssembly of another layer"),
            (b"\0as", "something else"),
            (b"\x7fELF\x02", "native code"),
            (b"(component)", "something else"),
        ] {
            assert_eq!(check_layer(bytes), Err(found));
        }
    }
}
