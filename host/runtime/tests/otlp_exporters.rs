//! The span pipeline against a receiver in this process that answers by script.
//!
//! What arrives is compared as decoded protobuf. Nothing sleeps to get an order: tests wait for a
//! condition with a generous bound.

#[path = "otlp_exporters/collector.rs"]
mod collector;
#[path = "otlp_exporters/delivery.rs"]
mod delivery;
#[path = "otlp_exporters/failures.rs"]
mod failures;
#[path = "otlp_exporters/lifecycle.rs"]
mod lifecycle;
#[path = "otlp_exporters/outputs.rs"]
mod outputs;
#[path = "otlp_exporters/rig.rs"]
mod rig;
#[path = "otlp_exporters/tls.rs"]
mod tls;
