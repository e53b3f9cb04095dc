//! Two kinds of load: as fast as it goes with a window of messages on their way, and at a rate.
//!
//! The closed loop answers deliveries with publishes, all of one read in one write. The open loop
//! sends one message a write, at its time, whatever comes back; a second thread does so, because
//! waiting for sockets has a resolution of a millisecond. Either is warmed up, measured, and
//! emptied: a message that does not come back is an error.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::peer::{Inbox, Peer, Peers};
use crate::protocol::{Incoming, Protocol};

/// Caches, buffers and TCP windows settle before anything is measured.
const WARM_MIN: Duration = Duration::from_millis(400);
/// How long the last messages may take to come back.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the time is looked at when nothing comes.
const IDLE: Duration = Duration::from_millis(5);

/// What a load was like, between two probes.
pub(crate) struct Loaded<P> {
    pub before: P,
    pub after: P,
    pub length: Duration,
    pub messages: u64,
    /// In nanoseconds, sorted.
    pub latencies: Vec<u32>,
    /// Length of the header blocks that came, of the last message.
    pub header: usize,
    /// Times that a socket was full: then a rate was not held.
    pub full: u64,
}

impl<P> Loaded<P> {
    /// Nanoseconds within which that share of the messages came back.
    pub(crate) fn quantile(&self, share: f64) -> u32 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies.get(at).copied().unwrap_or(0)
    }
}

/// What is counted between warming up and emptying.
struct Window<P> {
    epoch: Instant,
    starts: Duration,
    ends: Duration,
    before: Option<(Instant, P)>,
    after: Option<(Instant, P)>,
    messages: u64,
    latencies: Vec<u32>,
    header: usize,
}

impl<P> Window<P> {
    fn new(warm: Duration, length: Duration) -> Self {
        let (epoch, starts, ends) = (Instant::now(), warm, warm + length);
        let latencies = Vec::with_capacity(1 << 20);
        let (before, after, messages, header) = (None, None, 0, 0);
        Self { epoch, starts, ends, before, after, messages, latencies, header }
    }

    /// Answers whether the load is to go on.
    fn turn(&mut self, probe: &mut impl FnMut() -> anyhow::Result<P>) -> anyhow::Result<bool> {
        let now = self.epoch.elapsed();
        if self.before.is_none() && now >= self.starts {
            self.before = Some((Instant::now(), probe()?));
        }
        if self.after.is_none() && now >= self.ends {
            self.after = Some((Instant::now(), probe()?));
        }
        Ok(self.after.is_none())
    }

    fn count(&mut self, stamp: u64, now: u64, header: usize) {
        self.header = header;
        if self.before.is_some() && self.after.is_none() {
            self.messages += 1;
            let latency = u32::try_from(now.saturating_sub(stamp)).unwrap_or(u32::MAX);
            self.latencies.push(latency);
        }
    }

    fn finish(mut self, full: u64) -> anyhow::Result<Loaded<P>> {
        let (Some((start, before)), Some((end, after))) = (self.before, self.after) else {
            bail!("the load ended before it was measured");
        };
        self.latencies.sort_unstable();
        let Self { messages, latencies, header, .. } = self;
        Ok(Loaded { before, after, length: end - start, messages, latencies, header, full })
    }
}

/// Keeps `window` messages of each session on their way.
pub(crate) fn saturated<P>(
    peers: &mut Peers,
    window: usize,
    length: Duration,
    mut probe: impl FnMut() -> anyhow::Result<P>,
) -> anyhow::Result<Loaded<P>> {
    let Peers { peers, inbox } = peers;
    let protocol = inbox.protocol();
    let mut measured = Window::new(WARM_MIN, length);
    let (mut out, mut answers, mut full, mut on_way) = (Vec::new(), Vec::new(), 0, 0);
    for peer in &*peers {
        for _ in 0..window {
            peer.template.write(nanoseconds(measured.epoch), &mut out);
        }
        full += peer.publish(&out)?;
        on_way += window;
        out.clear();
    }
    let mut until = measured.epoch + measured.ends + EMPTY_TIMEOUT;
    while on_way > 0 {
        let goes_on = measured.turn(&mut probe)?;
        if Instant::now() > until {
            bail!("{on_way} messages did not come back");
        }
        inbox.receive(peers, IDLE, |number, incoming| {
            let now = nanoseconds(measured.epoch);
            let peer = &peers[number];
            for &frame in incoming {
                let answers = if peer.reads_apart() { &mut answers } else { &mut out };
                protocol.answer(&peer.template, frame, answers);
                if let Incoming::Message { stamp, header, .. } = frame {
                    measured.count(stamp, now, header);
                    on_way -= 1;
                    if goes_on {
                        peer.template.write(now, &mut out);
                        on_way += 1;
                    }
                }
            }
            full += peer.reply(&answers)? + peer.publish(&out)?;
            answers.clear();
            out.clear();
            Ok(())
        })?;
        until = if goes_on { Instant::now() + EMPTY_TIMEOUT } else { until };
    }
    measured.finish(full)
}

/// Sends `rate` messages a second, to the sessions in turns.
pub(crate) fn at_rate<P>(
    peers: &mut Peers,
    rate: u32,
    length: Duration,
    mut probe: impl FnMut() -> anyhow::Result<P>,
) -> anyhow::Result<Loaded<P>> {
    let Peers { peers, inbox } = peers;
    let peers = &*peers;
    let gap = Duration::from_secs(1) / rate;
    // What a session does with its first message is not what a message costs.
    let every_session_twice = gap * 2 * u32::try_from(peers.len())?;
    let mut measured = Window::new(WARM_MIN.max(every_session_twice), length);
    let outbox = Outbox {
        protocol: inbox.protocol(),
        epoch: measured.epoch,
        gap,
        stop: AtomicBool::new(false),
        sent: AtomicU64::new(0),
    };
    let (answers, asked) = mpsc::channel();
    let full = thread::scope(|scope| {
        let sender = scope.spawn(|| outbox.send(peers, asked));
        let received = receive(peers, inbox, &outbox, &mut measured, &mut probe, &answers);
        outbox.stop.store(true, Ordering::Relaxed);
        drop(answers);
        let sent = sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?;
        Ok::<_, anyhow::Error>(received? + sent?)
    })?;
    measured.finish(full)
}

/// The sending half of an open loop.
struct Outbox {
    protocol: Protocol,
    epoch: Instant,
    gap: Duration,
    stop: AtomicBool,
    sent: AtomicU64,
}

impl Outbox {
    fn send(&self, peers: &[Peer], asked: Receiver<(usize, Incoming)>) -> anyhow::Result<u64> {
        let (mut out, mut full) = (Vec::new(), 0);
        let mut due = Duration::ZERO;
        for peer in peers.iter().cycle() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            full += self.answer(peers, asked.try_iter())?;
            if let Some(early) = due.checked_sub(self.epoch.elapsed()) {
                thread::sleep(early);
            }
            out.clear();
            peer.template.write(nanoseconds(self.epoch), &mut out);
            // Before it is written: it must not be back before it counts as sent.
            self.sent.fetch_add(1, Ordering::Relaxed);
            full += peer.publish(&out)?;
            due += self.gap;
        }
        // Until nobody waits for messages any more: what is not acknowledged would come again.
        Ok(full + self.answer(peers, asked.iter())?)
    }

    /// Says what is to be said to what came. This thread does so, because two writers of a socket
    /// would mix their bytes.
    fn answer(
        &self,
        peers: &[Peer],
        asked: impl Iterator<Item = (usize, Incoming)>,
    ) -> anyhow::Result<u64> {
        let (mut out, mut full) = (Vec::new(), 0);
        for (number, incoming) in asked {
            let peer = &peers[number];
            out.clear();
            self.protocol.answer(&peer.template, incoming, &mut out);
            full += peer.reply(&out)?;
        }
        Ok(full)
    }
}

/// The receiving half of an open loop: until everything is back.
fn receive<P>(
    peers: &[Peer],
    inbox: &mut Inbox,
    outbox: &Outbox,
    measured: &mut Window<P>,
    probe: &mut impl FnMut() -> anyhow::Result<P>,
    answers: &Sender<(usize, Incoming)>,
) -> anyhow::Result<u64> {
    let (mut received, mut full, mut out) = (0, 0, Vec::new());
    let protocol = inbox.protocol();
    let until = measured.epoch + measured.ends + EMPTY_TIMEOUT;
    loop {
        if !measured.turn(probe)? {
            outbox.stop.store(true, Ordering::Relaxed);
            if received == outbox.sent.load(Ordering::Relaxed) {
                return Ok(full);
            }
        }
        if Instant::now() > until {
            bail!("of {} messages {received} came back", outbox.sent.load(Ordering::Relaxed));
        }
        inbox.receive(peers, IDLE, |number, incoming| {
            let now = nanoseconds(measured.epoch);
            let peer = &peers[number];
            for &frame in incoming {
                if let Incoming::Message { stamp, header, .. } = frame {
                    received += 1;
                    measured.count(stamp, now, header);
                }
                if peer.reads_apart() {
                    // Nobody else writes there.
                    protocol.answer(&peer.template, frame, &mut out);
                } else if protocol.is_answered(frame) {
                    // Nobody to ask means that the load is over.
                    let _ = answers.send((number, frame));
                }
            }
            full += peer.reply(&out)?;
            out.clear();
            Ok(())
        })?;
    }
}

fn nanoseconds(epoch: Instant) -> u64 {
    epoch.elapsed().as_nanos() as u64
}
