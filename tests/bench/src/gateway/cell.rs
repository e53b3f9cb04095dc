//! One measurement: a target under a load, on a machine that others may disturb.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::brokers::Brokers;
use crate::load::{Loaded, at_rate, saturated};
use crate::peer::Peers;
use crate::programs::Program;
use crate::protocol::{Form, Protocol};
use crate::target::Target;
use crate::usage::{Moment, Used};

/// Processors' worth of others' work that is still taken for quiet. At 0.4 a saturated row loses a
/// third, and late wakes make an open loop look a quarter cheaper than it is.
const FOREIGN_MAX: f64 = 0.15;
/// Share of a rate that has to arrive.
const RATE_HELD_MIN: f64 = 0.98;

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// With `window` messages of each publisher on their way.
    Saturated {
        sessions: usize,
        window: usize,
    },
    Rate {
        sessions: usize,
        rate: u32,
    },
}

impl Load {
    fn sessions(self) -> usize {
        match self {
            Self::Saturated { sessions, .. } | Self::Rate { sessions, .. } => sessions,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub load: Load,
    pub target: Target,
}

/// What every measurement of a run uses.
pub(crate) struct Stand<'a> {
    pub protocol: Protocol,
    pub folder: &'a Path,
    pub brokers: &'a Brokers,
    /// Of spans.
    pub receiver: SocketAddr,
    pub length: Duration,
}

/// What one measurement found. Processor time is in microseconds a message.
pub(crate) struct Sample {
    pub cell: Cell,
    pub rate: f64,
    pub proxy: f64,
    pub broker: f64,
    /// Of the broker's time, that of its busiest thread.
    pub busiest: f64,
    pub load: f64,
    pub p50: f64,
    pub p99: f64,
    pub header: usize,
    /// Spans that were made, and those of them that were lost.
    pub spans: (u64, u64),
    /// Processors that others kept busy.
    pub foreign: f64,
    /// Why it does not count.
    pub disturbed: Option<&'static str>,
    pub raw: Value,
}

impl Cell {
    pub(crate) fn measure(self, stand: &Stand<'_>) -> anyhow::Result<Sample> {
        let Stand { protocol, folder, brokers, receiver, length } = *stand;
        let (broker, broker_pid) = brokers.of(self.target)?;
        let proxy = self.target.start(protocol, folder, broker, receiver)?;
        let address = proxy.as_ref().map_or(broker, |proxy| proxy.address);
        let mut pids = vec![std::process::id(), broker_pid];
        // What exports for a broker's extension stands where a proxy does.
        pids.extend(proxy.as_ref().map(Program::pid).or(brokers.exporter(self.target)?));

        let mut peers =
            Peers::connect(protocol, address, self.load.sessions(), self.target.form())?;
        let probe = || Moment::take(&pids);
        let loaded = match self.load {
            Load::Saturated { window, .. } => saturated(&mut peers, window, length, probe),
            Load::Rate { rate, .. } => at_rate(&mut peers, rate, length, probe),
        }?;
        drop(peers);
        let said = match proxy {
            Some(program) if self.target.is_gateway() => program.stop()?,
            _ => Vec::new(),
        };
        self.sample(protocol, &loaded, &said)
    }

    fn sample(
        self,
        protocol: Protocol,
        loaded: &Loaded<Moment>,
        said: &[String],
    ) -> anyhow::Result<Sample> {
        let Loaded { before, after, length, messages, header, full, .. } = loaded;
        let seconds = length.as_secs_f64();
        let (used, foreign) = after.since(before);
        let [load, broker, proxy @ ..] = &used[..] else { anyhow::bail!("nothing was measured") };
        let none = Used::default();
        let proxy = proxy.first().unwrap_or(&none);
        anyhow::ensure!(*messages > 0, "nothing came back");
        // Else this would measure something that lets messages pass, or that is not switched off.
        let (has, expected) = (*header > 0, self.target.injects());
        anyhow::ensure!(has == expected, "{}: context came back: {has}", self.target.name());

        let rate = *messages as f64 / seconds;
        let foreign = foreign / 1e9 / seconds;
        let disturbed = match self.load {
            _ if foreign > FOREIGN_MAX => Some("others used the processors"),
            Load::Rate { rate: asked, .. } if rate < f64::from(asked) * RATE_HELD_MIN => {
                Some("the rate was not held")
            }
            Load::Rate { .. } if *full > 0 => Some("a socket was full"),
            _ => None,
        };
        let micro = |used: &Used| used.nanoseconds / 1e3 / *messages as f64;
        let [p50, p99] = [0.5, 0.99].map(|share| f64::from(loaded.quantile(share)) / 1e3);
        let spans = (counted(said, "spans_queued"), counted(said, "spans_dropped"));
        let raw = json!({
            "protocol": protocol.name(),
            "target": self.target.name(),
            "load": format!("{:?}", self.load),
            "injected_by_load": self.target.form() == Form::Injected,
            "messages": messages, "seconds": seconds, "rate": rate.round(),
            "proxy": proxy.per_message(*messages), "broker": broker.per_message(*messages),
            "generator": load.per_message(*messages), "p50_us": p50, "p99_us": p99,
            "header_bytes": header, "full": full, "foreign": foreign, "disturbed": disturbed,
            "said": said,
        });
        Ok(Sample {
            cell: self,
            rate,
            proxy: micro(proxy),
            broker: micro(broker),
            busiest: broker.busiest() / 1e3 / *messages as f64,
            load: micro(load),
            p50,
            p99,
            header: *header,
            spans,
            foreign,
            disturbed,
            raw,
        })
    }
}

/// The sum of a counter's values in a gateway's summary.
fn counted(said: &[String], name: &str) -> u64 {
    let ours =
        |line: &&String| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let last = |line: &String| line.rsplit_once(' ')?.1.parse::<u64>().ok();
    said.iter().filter(ours).filter_map(last).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_up_over_their_reasons() {
        let said = ["spans_dropped{reason=\"a\"} 2", "spans_dropped{reason=\"b\"} 3", "spans 9"];
        let said = said.map(str::to_owned);
        assert_eq!(counted(&said, "spans_dropped"), 5);
        assert_eq!(counted(&said, "spans"), 9);
        assert_eq!(counted(&said, "spans_drop"), 0);
    }
}
