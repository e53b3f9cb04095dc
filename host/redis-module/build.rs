//! Links the module so that it stays mapped.
//!
//! A server closes the library of a module that refuses to be loaded, or that it takes back because
//! of a setting that nobody knows. Threads of the runtime may be on their way out then.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
