//! A socket in the file system that only its owner can open.
//!
//! A socket is there for everybody from the moment it is bound until its mode is changed, unless
//! the process changes its umask, which belongs to all of its threads. So it is bound inside a
//! directory that nobody else can enter, gets its mode there, and is moved to where it belongs.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::AdminError;

const OWNER_ONLY: u32 = 0o600;
const OWNER_ONLY_DIRECTORY: u32 = 0o700;

/// A bound socket. Its file goes when this is dropped, unless somebody put another in its place.
#[derive(Debug)]
pub(super) struct Socket {
    pub listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Binds. A socket that nobody listens on any more is replaced; anything else is not.
    pub(super) fn bind(path: &Path) -> Result<Self, AdminError> {
        let error = |what: String| AdminError::Socket { path: path.to_owned(), what };
        check_free(path).map_err(error)?;
        bind(path).map_err(|cause| error(cause.to_string()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Answers what is in the way.
fn check_free(path: &Path) -> Result<(), String> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.to_string()),
        Ok(found) if !found.file_type().is_socket() => {
            Err("expected a free path or an old socket, found another kind of file".to_owned())
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err("another process listens there".to_owned()),
            // Left behind by a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn bind(path: &Path) -> io::Result<Socket> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut private = name.to_owned();
    private.push(format!(".{}", std::process::id()));
    let directory = path.with_file_name(private);
    DirBuilder::new().mode(OWNER_ONLY_DIRECTORY).create(&directory)?;
    // A short name: the whole path of a socket has at most 107 bytes.
    let inside = directory.join("s");
    let bound = bind_in_private(&inside, path);
    let _ = fs::remove_file(&inside);
    let _ = fs::remove_dir(&directory);
    bound
}

fn bind_in_private(inside: &Path, path: &Path) -> io::Result<Socket> {
    let listener = UnixListener::bind(inside)?;
    fs::set_permissions(inside, Permissions::from_mode(OWNER_ONLY))?;
    listener.set_nonblocking(true)?;
    let inode = fs::symlink_metadata(inside)?.ino();
    fs::rename(inside, path)?;
    Ok(Socket { listener, path: path.to_owned(), inode })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_socket_is_its_owners_and_goes_with_the_listener() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("admin.sock");
        let socket = Socket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, OWNER_ONLY);
        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("admin.sock");
        let text = |error: AdminError| error.to_string();
        fs::write(&path, "precious").unwrap();
        let error = text(Socket::bind(&path).unwrap_err());
        assert!(error.contains("another kind of file"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        let first = Socket::bind(&path).unwrap();
        let error = text(Socket::bind(&path).unwrap_err());
        assert!(error.contains("another process listens"), "{error}");
        // As if it had been killed: the file stays, and nobody listens.
        let Socket { listener, .. } = &first;
        drop(listener.try_clone().unwrap());
        std::mem::forget(first);
        fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let again = Socket::bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(again);
    }
}
