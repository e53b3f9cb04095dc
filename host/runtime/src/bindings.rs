//! What `wit/` generates, and nothing else.
#![allow(
    unsafe_code,
    missing_docs,
    missing_debug_implementations,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    reason = "generated code"
)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "spanbridge:tracing/component",
    imports: { default: trappable },
});
