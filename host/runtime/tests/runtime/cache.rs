//! The code cache: used when it is private and whole, and only then.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use spanbridge::{CodeCache, ComponentSource, Runtime};
use tempfile::TempDir;

use crate::faulty;

/// Hit, stored, unstored.
type Uses = [u64; 3];

const HIT: Uses = [1, 0, 0];
const STORED: Uses = [0, 1, 0];
const UNSTORED: Uses = [0, 0, 1];

fn load(cache: CodeCache) -> Uses {
    let component = ComponentSource::Bytes(faulty::component().to_vec());
    let runtime = Runtime::builder().component(component).code_cache(cache).build().unwrap();
    let uses = &runtime.counters().code_cache;
    [&uses.hit, &uses.stored, &uses.unstored].map(|counter| counter.get())
}

fn cache() -> (TempDir, PathBuf) {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("a/b");
    (parent, dir)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The one file in the cache.
fn file(dir: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn what_was_compiled_once_is_loaded_the_next_time() {
    let (_parent, dir) = cache();
    assert_eq!(load(CodeCache::Dir(dir.clone())), STORED);
    assert_eq!((mode(&dir), mode(&file(&dir))), (0o700, 0o600));
    assert_eq!(load(CodeCache::Dir(dir.clone())), HIT);
    assert_eq!(load(CodeCache::Off), UNSTORED);
}

#[test]
fn a_file_that_is_not_whole_is_compiled_and_written_anew() {
    let (_parent, dir) = cache();
    load(CodeCache::Dir(dir.clone()));
    let path = file(&dir);
    let good = fs::read(&path).unwrap();
    let middle = good.len() / 2;
    let mut flipped = good.clone();
    flipped[middle] ^= 1;
    for bad in [&b""[..], b"\x7fELF", &good[..middle], &flipped, &[&good[..], b"x"].concat()] {
        fs::write(&path, bad).unwrap();
        assert_eq!(load(CodeCache::Dir(dir.clone())), STORED, "{} bytes", bad.len());
        assert!(fs::read(&path).unwrap() == good);
        assert_eq!(load(CodeCache::Dir(dir.clone())), HIT);
    }
}

#[test]
fn a_file_that_others_can_reach_is_not_used() {
    let (parent, dir) = cache();
    load(CodeCache::Dir(dir.clone()));
    let path = file(&dir);
    for open in [0o640, 0o604, 0o620, 0o602] {
        set_mode(&path, open);
        assert_eq!(load(CodeCache::Dir(dir.clone())), STORED, "{open:o}");
        assert_eq!(mode(&path), 0o600);
    }
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_eq!(load(CodeCache::Dir(dir.clone())), STORED, "a symbolic link");
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_directory_that_others_can_reach_is_not_used() {
    let (parent, dir) = cache();
    load(CodeCache::Dir(dir.clone()));
    for open in [0o750, 0o705, 0o770] {
        set_mode(&dir, open);
        assert_eq!(load(CodeCache::Dir(dir.clone())), UNSTORED, "{open:o}");
    }
    set_mode(&dir, 0o700);
    assert_eq!(load(CodeCache::Dir(dir.clone())), HIT);
    let link = parent.path().join("link");
    symlink(&dir, &link).unwrap();
    assert_eq!(load(CodeCache::Dir(link)), UNSTORED, "a symbolic link");
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(load(CodeCache::Dir(file)), UNSTORED, "a file");
}
