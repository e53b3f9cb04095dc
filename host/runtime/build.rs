//! Builds the component in `guest/` for WebAssembly and leaves it in
//! `OUT_DIR/spanbridge.wasm`, from where it is embedded.
//!
//! `SPANBRIDGE_GUEST` names a component to embed instead. A published crate has no `guest/` beside
//! it and carries the component as `component/spanbridge.wasm`.
//!
//! Without the feature `compiler` it builds nothing: native code that `spanbridge component
//! precompile` wrote is named by `SPANBRIDGE_PRECOMPILED`, and is embedded from
//! `OUT_DIR/spanbridge.code`. A build-dependency on the compiler would have done without that
//! variable, and would have been built again, for minutes, with each profile.
//!
//! The component is the same file wherever it is built, and whatever flags the host is built with:
//! paths are mapped and variables that reach the compiler are left out. Its target directory is
//! its own, because cargo holds a lock on the one it builds this crate in, and the same for every
//! profile of the host, because building the tools of its bindings takes longer than the rest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";
const PACKAGE: &str = "spanbridge-guest";
const FILE: &str = "spanbridge_guest.wasm";

/// Variables with which cargo or a user changes how things are compiled.
const NOT_HANDED_DOWN: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_DIR",
];

fn main() {
    let compiles = env::var_os("CARGO_FEATURE_COMPILER").is_some();
    if let Err(error) = if compiles { embed() } else { embed_code() } {
        for line in error.lines() {
            println!("cargo::error={line}");
        }
    }
}

/// Embeds native code. Whether it fits this engine is found out where it is loaded: that it is of
/// the same version and the same settings is in it.
fn embed_code() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=SPANBRIDGE_PRECOMPILED");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let code = env::var_os("SPANBRIDGE_PRECOMPILED").map(PathBuf::from).ok_or(
        "without the feature `compiler`, SPANBRIDGE_PRECOMPILED must name a file that\n\
         `spanbridge component precompile` wrote; `make redis-module` sees to both",
    )?;
    println!("cargo::rerun-if-changed={}", code.display());
    let bytes = fs::read(&code).map_err(|error| {
        format!("SPANBRIDGE_PRECOMPILED: cannot read {}: {error}", code.display())
    })?;
    if !bytes.starts_with(b"spanbridge component 1\n") {
        return Err(format!(
            "SPANBRIDGE_PRECOMPILED: expected a file of `spanbridge component precompile`, found \
             another one: {}",
            code.display()
        ));
    }
    fs::write(out.join("spanbridge.code"), bytes)
        .map_err(|error| format!("cannot write spanbridge.code: {error}"))
}

fn embed() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=SPANBRIDGE_GUEST");
    println!("cargo::rustc-env=SPANBRIDGE_TARGET={}", variable("TARGET")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let carried = here.join("component/spanbridge.wasm");
    // By name, not through `..`, which would leave a directory that was linked to.
    let root = here.ancestors().nth(2).map(Path::to_path_buf);
    let root = root.filter(|root| root.join("guest/Cargo.toml").is_file());
    let component = match (env::var_os("SPANBRIDGE_GUEST"), root) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(root)) => build(&root, &out)?,
        (None, None) if carried.is_file() => carried,
        (None, None) => return Err("there is neither guest/ nor component/spanbridge.wasm".into()),
    };
    println!("cargo::rerun-if-changed={}", component.display());
    fs::copy(&component, out.join("spanbridge.wasm"))
        .map(drop)
        .map_err(|error| format!("cannot copy {}: {error}", component.display()))
}

fn build(root: &Path, out: &Path) -> Result<PathBuf, String> {
    for path in ["guest/src", "guest/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    find_target()?;
    let target_dir = target_dir(out);
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["build", "--package", PACKAGE, "--profile", "guest", "--target", TARGET]);
    cargo.arg("--target-dir").arg(&target_dir).current_dir(root);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let changes_code = text.starts_with("CARGO_PROFILE_")
            || text.starts_with("CARGO_TARGET_")
            || NOT_HANDED_DOWN.contains(&&*text);
        if changes_code {
            cargo.env_remove(&name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(root)?.join("\x1f"));
    let built = cargo.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    if !built.status.success() {
        let text = String::from_utf8_lossy(&built.stderr);
        return Err(format!("the component does not build\n{text}"));
    }
    Ok(target_dir.join(TARGET).join("guest").join(FILE))
}

/// Where cargo lays its directories out as it does today, `OUT_DIR` is
/// `target/debug/build/spanbridge-0123/out`, and this is `target/guest`. Else it is in `OUT_DIR`.
fn target_dir(out: &Path) -> PathBuf {
    let build = out.ancestors().nth(2).filter(|build| build.ends_with("build"));
    let target = build.and_then(|build| build.ancestors().nth(2));
    target.filter(|target| target.join("CACHEDIR.TAG").is_file()).unwrap_or(out).join("guest")
}

/// Answers an error that says what to do when the target is not installed.
fn find_target() -> Result<(), String> {
    let printed = Command::new(variable("RUSTC")?)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|error| format!("cannot start rustc: {error}"))?;
    if Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir() {
        return Ok(());
    }
    Err(format!(
        "the component needs the Rust target {TARGET}; install it with\nrustup target add {TARGET}"
    ))
}

/// Panic messages hold paths of sources: those of this machine must not get into the component.
fn remapped_paths(root: &Path) -> Result<[String; 2], String> {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(env::home_dir()?.join(".cargo")))
        .ok_or("neither CARGO_HOME nor a home directory is known")?;
    Ok([
        format!("--remap-path-prefix={}=/spanbridge", root.display()),
        format!("--remap-path-prefix={}=/cargo", cargo_home.display()),
    ])
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
