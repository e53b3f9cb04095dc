//! What `wit/` generates, and nothing else.
#![allow(
    missing_docs,
    missing_debug_implementations,
    unnameable_types,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    clippy::use_self
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "component",
    generate_all,
    pub_export_macro: true,
});
