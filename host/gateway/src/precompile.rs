//! `spanbridge component precompile`: the component as native code, to be built into an extension.

use std::path::{Path, PathBuf};
use std::{fs, io};

use spanbridge::ComponentSource;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum PrecompileError {
    /// The component cannot be compiled.
    #[error("cannot compile the component")]
    Component(#[from] spanbridge::Error),
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Compiles a component, the one inside the program if there is no other. A file that has the code
/// already is left alone, so that what was built with it need not be built again.
///
/// # Errors
///
/// Fails when the component cannot be read or compiled, or the file cannot be written.
pub fn run(output: &Path, component: Option<&Path>) -> Result<(), PrecompileError> {
    let source = match component {
        Some(path) => ComponentSource::Path(path.to_owned()),
        None => ComponentSource::Embedded,
    };
    let code = spanbridge::precompile(&source)?;
    if fs::read(output).is_ok_and(|found| found == code) {
        return Ok(());
    }
    fs::write(output, code).map_err(|source| PrecompileError::File { path: output.into(), source })
}
