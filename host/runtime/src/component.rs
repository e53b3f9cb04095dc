//! Which component is loaded, and whether it is one that this runtime can call.
//!
//! Only WebAssembly is taken. A file of native code is refused whatever its name: see
//! [`CodeCache`](crate::CodeCache) for the one place that native code comes from.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::limits::COMPONENT_BYTES_MAX;

/// The component that was built with this crate.
static EMBEDDED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spanbridge.wasm"));

/// Interfaces that a component must export. Another version of them is another contract.
const EXPORTS: [&str; 2] =
    ["spanbridge:tracing/propagation@0.1.0", "spanbridge:tracing/messaging@0.1.0"];

/// The one interface with functions that it may import, of WASI 0.2.
const RANDOM: &str = "wasi:random/random@0.2.";

/// Words of the contract: an import without functions.
const TYPES: &str = "spanbridge:tracing/types@0.1.0";

/// What the contract's package is called, whatever its version.
const PACKAGE: &str = "spanbridge:tracing/";

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

/// A loaded component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentInfo {
    /// How many components the runtime loaded before it.
    pub generation: u64,
    /// Where it came from: a path, or a word.
    pub origin: String,
    /// Its size.
    pub bytes: usize,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
}

impl ComponentSource {
    /// The most bytes that a component may have.
    pub const BYTES_MAX: u64 = COMPONENT_BYTES_MAX;

    /// Where it comes from, for people.
    pub(crate) fn origin(&self) -> String {
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

/// Answers what keeps a component with these imports and exports from being used.
pub(crate) fn check_names<'n>(
    imports: impl IntoIterator<Item = &'n str>,
    exports: impl IntoIterator<Item = &'n str>,
) -> Result<(), Error> {
    let exports: Vec<_> = exports.into_iter().collect();
    for expected in EXPORTS {
        if !exports.contains(&expected) {
            return Err(Error::component(missing(expected, &exports)));
        }
    }
    match imports.into_iter().find(|name| !name.starts_with(RANDOM) && *name != TYPES) {
        None => Ok(()),
        Some(name) => Err(Error::component(format!(
            "expected it to import nothing but {RANDOM}x, found import {name}"
        ))),
    }
}

fn missing(expected: &str, exports: &[&str]) -> String {
    let interface = expected.split('@').next().unwrap_or(expected);
    let same = exports.iter().find(|name| name.split('@').next() == Some(interface));
    let of_package = exports.iter().find(|name| name.starts_with(PACKAGE));
    match (same.or(of_package), exports) {
        (Some(found), _) => format!("expected it to export {expected}, found {found}"),
        (None, []) => format!("expected it to export {expected}, found no exports"),
        (None, [first, ..]) => {
            format!("expected it to export {expected}, found no {PACKAGE} interface but {first}")
        }
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

    #[test]
    fn names_must_be_those_of_the_contract() {
        let [propagation, messaging] = EXPORTS;
        let random = "wasi:random/random@0.2.6";
        assert!(check_names([random], [messaging, propagation, "other:one/more"]).is_ok());
        assert!(check_names([TYPES], EXPORTS).is_ok());
        let newer = "spanbridge:tracing/messaging@0.2.0";
        for (imports, exports, text) in [
            (vec![], vec![propagation, newer], newer),
            (vec![], vec![propagation], "found spanbridge:tracing/propagation@0.1.0"),
            (vec![], vec![], "found no exports"),
            (vec![], vec!["wasi:cli/run@0.2.6"], "but wasi:cli/run@0.2.6"),
            (vec![random, "wasi:cli/exit@0.2.6"], EXPORTS.to_vec(), "import wasi:cli/exit@0.2.6"),
            (vec!["wasi:random/random@0.3.0"], EXPORTS.to_vec(), "import wasi:random/random@0.3.0"),
        ] {
            let error = check_names(imports, exports).unwrap_err();
            assert!(error.is_component());
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
