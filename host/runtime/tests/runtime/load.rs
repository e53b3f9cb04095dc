//! Components that are none, or not ours: a clear word before any message is touched.

use std::fs;

use spanbridge::{CodeCache, ComponentSource, Error, Limits, Runtime};
use tempfile::TempDir;

use crate::faulty;

fn load(source: ComponentSource) -> Result<Runtime, Error> {
    Runtime::builder().code_cache(CodeCache::Off).component(source).build()
}

/// The component of this crate, with every occurrence of a text changed.
pub(crate) fn patched(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = ComponentSource::embedded().to_vec();
    let mut changed = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
            changed += 1;
        }
    }
    assert_ne!(changed, 0, "{from} does not occur");
    bytes
}

#[test]
fn a_component_loads_from_a_path_and_from_bytes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("component.wasm");
    fs::write(&path, faulty::component()).unwrap();
    load(ComponentSource::Path(path)).unwrap();
    load(ComponentSource::Bytes(ComponentSource::embedded().to_vec())).unwrap();
}

#[test]
fn files_that_are_no_component_are_named_for_what_they_are() {
    let dir = TempDir::new().unwrap();
    for (name, bytes, found) in [
        ("empty", &b""[..], "found an empty file"),
        ("module", b"\0asm\x01\0\0\0", "found a core module"),
        ("native", b"\x7fELF\x02\x01\x01", "found native code"),
        ("text", b"(component)", "found something else"),
        ("short", b"\0asm\x0d\0\x01\0garbage", "does not compile"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = load(ComponentSource::Path(path)).unwrap_err();
        assert!(error.is_component(), "{error}");
        assert!(error.to_string().contains(found), "{error}");
    }
    let error = load(ComponentSource::Path(dir.path().join("none"))).unwrap_err();
    assert!(error.is_component() && error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn a_component_of_another_version_is_refused_by_name() {
    for (from, to, expected, found) in [
        (
            "spanbridge:tracing/messaging@0.1.0",
            "spanbridge:tracing/messaging@0.2.0",
            "expected it to export spanbridge:tracing/messaging@0.1.0",
            "found spanbridge:tracing/messaging@0.2.0",
        ),
        (
            "spanbridge:tracing/propagation@0.1.0",
            "spanbridge:tracing/propagation@1.1.0",
            "expected it to export spanbridge:tracing/propagation@0.1.0",
            "found spanbridge:tracing/propagation@1.1.0",
        ),
        (
            "wasi:random/random@0.2.6",
            "wasi:randox/random@0.2.6",
            "expected it to import nothing but wasi:random/random@0.2",
            "found import wasi:randox/random@0.2.6",
        ),
    ] {
        let error = load(ComponentSource::Bytes(patched(from, to))).unwrap_err();
        let text = error.to_string();
        assert!(error.is_component(), "{text}");
        assert!(text.contains(expected) && text.contains(found), "{text}");
    }
}

#[test]
fn a_component_with_other_types_is_refused() {
    for (from, to) in [("body-size", "body-sixe"), ("queue-wait-spans", "queue-wait-spanz")] {
        let error = load(ComponentSource::Bytes(patched(from, to))).unwrap_err();
        assert!(error.is_component(), "{error}");
    }
}

#[test]
fn a_component_that_does_not_fit_its_memory_is_refused() {
    let limits = Limits { instance_memory_bytes_max: 64 << 10, ..Limits::default() };
    let builder = Runtime::builder().code_cache(CodeCache::Off).limits(limits);
    let error = builder.build().unwrap_err();
    assert!(error.is_component() && error.to_string().contains("instantiated"), "{error}");
}
