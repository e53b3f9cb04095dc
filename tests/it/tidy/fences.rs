//! Rules about who may know whom. ARCHITECTURE.md says why.

use super::source;

/// The files of the runtime that may name the engine.
const WASMTIME: [&str; 8] =
    ["engine", "bindings", "instance", "lower", "pool", "cache", "component", "precompiled"];

/// What the codecs do without: they take bytes and time as arguments.
const NOT_IN_WIRE: [&str; 4] = ["tokio", "tracing", "wasmtime", "async"];

/// For each directory of crates, what no manifest in it may name.
const FENCES: [(&str, &[&str]); 4] = [
    ("guest/", &["spanbridge", "spanbridge-wire", "tokio", "wasmtime"]),
    ("host/wire/", &["spanbridge", "spanbridge-guest", "tokio", "tracing", "wasmtime"]),
    ("host/runtime/", &["spanbridge-wire", "spanbridge-gateway"]),
    ("", &["spanbridge-tests"]),
];

/// Only some files of the runtime may name wasmtime in code; all of them in comments.
pub(crate) fn wasmtime(path: &str, text: &str) -> Vec<String> {
    let Some(file) = path.strip_prefix("host/runtime/src/") else { return Vec::new() };
    let stem = file.split(['/', '.']).next().unwrap_or_default();
    if WASMTIME.contains(&stem) {
        return Vec::new();
    }
    words(path, text, &["wasmtime"])
}

/// The codecs name no runtime, no engine and no logging.
pub(crate) fn wire(path: &str, text: &str) -> Vec<String> {
    let ours = path.starts_with("host/wire/src/");
    if ours { words(path, text, &NOT_IN_WIRE) } else { Vec::new() }
}

fn words(path: &str, text: &str, banned: &[&str]) -> Vec<String> {
    let code = source::code_of(text);
    let found = banned.iter().filter(|word| source::has_word(&code, word));
    found.map(|word| format!("{path}: names {word}")).collect()
}

/// Dependencies point one way: nothing outside `tests/` knows the tests, the runtime and the codecs
/// do not know each other, and the component knows none of them.
pub(crate) fn dependencies(path: &str, manifest: &str) -> Vec<String> {
    // The root's manifest declares everybody and depends on nobody.
    if path == "Cargo.toml" || path.starts_with("tests/") {
        return Vec::new();
    }
    let fences = FENCES.iter().filter(|(directory, _)| path.starts_with(directory));
    let banned: Vec<&str> = fences.flat_map(|(_, names)| names.iter().copied()).collect();
    let names = manifest_dependencies(manifest);
    let breaches = names.into_iter().filter(|name| banned.contains(name));
    breaches.map(|name| format!("{path}: depends on {name}")).collect()
}

/// The names in the tables of a manifest whose own name ends with `dependencies`, or begins with
/// it: `[dev-dependencies]`, `[target.'cfg(unix)'.dependencies]`, `[dependencies.tokio]`.
fn manifest_dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                names.push(name.trim_matches('"'));
            }
        } else if inside && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(0);
            names.extend((end > 0).then(|| line[..end].trim_matches('"')));
        }
    }
    names
}
