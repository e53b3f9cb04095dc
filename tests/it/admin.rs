//! The admin endpoint: pages that a scraper can read, states that are true, and a component that
//! is exchanged while messages pass.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use spanbridge_tests::Gateway;
use spanbridge_tests::http::{self, Answer};

mod component;
mod health;
mod metrics;
mod routes;

/// Asks for OpenMetrics.
const OPEN: &str = "Accept: application/openmetrics-text; version=1.0.0\r\n";

fn address(gateway: &Gateway) -> Result<SocketAddr> {
    gateway.admin().context("the gateway says where its admin endpoint is")
}

/// Asks the gateway's endpoint for a path.
fn get(gateway: &Gateway, path: &str) -> Result<Answer> {
    http::get(address(gateway)?, path, "")
}

/// Adds up the samples of `/metrics` whose name and labels hold all of these words.
fn value(gateway: &Gateway, words: &[&str]) -> Result<f64> {
    let page = get(gateway, "/metrics")?.body;
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let named = samples.filter(|line| words.iter().all(|word| line.contains(word)));
    Ok(named.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum())
}
