//! Keeps the NIF's library in memory once it is loaded: see "nodelete" in ARCHITECTURE.md.

fn main() {
    // The broker's threads hold values of this library's in their thread-local storage, whose
    // destructors run when a thread ends: code that is gone by then would be called.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rerun-if-changed=build.rs");
}
