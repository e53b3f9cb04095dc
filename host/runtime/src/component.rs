//! A component that this runtime can call: what is known of it, and what it must be named.

use wasmtime::component::Component;

use crate::engine::Engine;
use crate::error::Error;

/// Interfaces that a component must export. Another version of them is another contract.
const EXPORTS: [&str; 2] =
    ["spanbridge:tracing/propagation@0.1.0", "spanbridge:tracing/messaging@0.1.0"];

/// The one interface with functions that it may import, of WASI 0.2.
const RANDOM: &str = "wasi:random/random@0.2.";

/// Words of the contract: an import without functions.
const TYPES: &str = "spanbridge:tracing/types@0.1.0";

/// What the contract's package is called, whatever its version.
const PACKAGE: &str = "spanbridge:tracing/";

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

/// A component as code that can be run.
pub(crate) struct Loaded {
    pub component: Component,
    pub info: ComponentInfo,
}

impl Loaded {
    /// Looks at the names in a component.
    ///
    /// # Errors
    ///
    /// Fails when it is none that this runtime can call.
    pub(crate) fn check(
        engine: &Engine,
        component: Component,
        info: ComponentInfo,
    ) -> Result<Self, Error> {
        let names = component.component_type();
        check_names(
            names.imports(&engine.inner).map(|(name, _)| name),
            names.exports(&engine.inner).map(|(name, _)| name),
        )?;
        Ok(Self { component, info })
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
