//! Many sessions at once, everything goes wrong, and an exact account at the end.
//!
//! Sessions share one table of open spans. They are cut at any byte; answers come late, twice or
//! never; messages come again; clocks jump; the component traps, loops, answers nonsense and is
//! refused memory; the table is too small; the receiver is slow and refuses.
//!
//! No model says what should come of it. The bytes, the spans, the receiver and the counters each
//! tell a part, and [`account`] compares them.

mod account;
mod bytes;
mod export;
mod traffic;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spanbridge::env::Settings;
use spanbridge::metrics::Counters;
use spanbridge::otlp::{Pipeline, PipelineSettings};
use spanbridge::resource::{RESOURCES_MAX, Resources};
use spanbridge::sink::QueueLimits;
use spanbridge::{ComponentSource, Limits, RouteSettings, Runtime, Tracer};
use spanbridge_gateway::relay::Side;

use crate::faulty::faulty;
use crate::harness::{Bed, CONNECT, INFO, OLD_CONNECT, Options, SECOND, START, Session};
use crate::random::{Random, Seed};
use account::Books;
use bytes::Seen;
use export::{Receiver, Recorder, Taken};
use traffic::Common;

/// Seeds of the run that CI does; their lowest bits name what goes wrong.
const SEEDS: u64 = 32;
const READS: u64 = 3000;
const SESSIONS: usize = 12;
const OPERATIONS_PER_READ_MAX: u64 = 12;

/// One in so many reads is the last one of its session.
const CUT: u64 = 150;
/// One in so many reads meets a component that fails.
const FAIL: u64 = 10;
/// One in so many reads comes after a jump of the clock.
const JUMP: u64 = 200;
/// One in so many reads is followed by a sweep of the table.
const SWEEP: u64 = 100;

const SMALL_TABLE: usize = 64;
const SMALL_QUEUE: usize = 256;
const SMALL_INFO: &str = "INFO {\"headers\":true,\"max_payload\":150}\r\n";

/// Names the variable with which the second test runs for longer.
const SECONDS: &str = "SPANBRIDGE_SIMULATION_SECONDS";

/// What goes wrong under a seed.
struct Weather {
    component_fails: bool,
    table_is_small: bool,
    receiver_fails: bool,
    clock_jumps: bool,
    some_unsampled: bool,
}

impl Weather {
    fn of(seed: u64) -> Self {
        let bit = |number: u64| seed >> number & 1 == 1;
        Self {
            component_fails: bit(0),
            table_is_small: bit(1),
            receiver_fails: bit(2),
            clock_jumps: bit(3),
            // Which of those the component failed at nobody knows.
            some_unsampled: bit(4) && !bit(0),
        }
    }
}

/// A session, what its peers have said and what of that was read.
struct Talk {
    session: Session,
    /// The other component's tracer, lent to the session for reads that go wrong.
    spare: Tracer,
    client: Vec<u8>,
    broker: Vec<u8>,
    read: [usize; 2],
    asked: Vec<u64>,
}

impl Talk {
    /// The peers have said who they are.
    fn new(mut session: Session, spare: Tracer, random: &mut Random) -> Self {
        let info = random.pick(&[INFO, INFO, SMALL_INFO]);
        let connect = random.pick(&[CONNECT, CONNECT, OLD_CONNECT]);
        session.broker(info);
        session.client(connect);
        let (client, broker) = (connect.into(), info.into());
        let read = [connect.len(), info.len()];
        Self { session, spare, client, broker, read, asked: Vec::new() }
    }

    /// Reads something of what one side has said, or all of it.
    fn feed(&mut self, random: &mut Random, side: Side, goes_wrong: bool) {
        let said = match side {
            Side::Client => &self.client,
            Side::Broker => &self.broker,
        };
        let rest = &said[self.read[side as usize]..];
        let length = match random.below(4) {
            0 => random.below(rest.len() as u64 + 1) as usize,
            _ => rest.len(),
        };
        let piece = &rest[..length];
        self.read[side as usize] += length;
        if piece.is_empty() {
            return;
        }
        let tools = &mut self.session.tools.tracer;
        if goes_wrong {
            std::mem::swap(tools, &mut self.spare);
        }
        self.session.feed(side, piece);
        if goes_wrong {
            std::mem::swap(&mut self.session.tools.tracer, &mut self.spare);
        }
    }

    /// The session ends where it is.
    fn end(&mut self, seen: &mut Seen) {
        self.session.close();
        let (client, broker) = (&self.client[..self.read[0]], &self.broker[..self.read[1]]);
        seen.compare_to_broker(client, &self.session.to_broker);
        seen.compare_to_client(broker, &self.session.to_client);
    }
}

/// The second component: it fails at everything. It shares sink and counters with the first.
fn failing(component: &[u8], recorder: &Arc<Recorder>, counters: &Arc<Counters>) -> Runtime {
    let runtime = Runtime::builder()
        .component(ComponentSource::Bytes(component.into()))
        .limits(Limits { spare_instances_max: 0, ..Limits::default() })
        .counters(Arc::clone(counters))
        .sink(Arc::<Recorder>::clone(recorder))
        .build()
        .expect("the component loads");
    // The name of the system makes it fail at settlements as well.
    runtime.open_route(RouteSettings::new("settle")).expect("the route opens");
    runtime
}

fn recorder(seed: u64, weather: &Weather, counters: &Arc<Counters>) -> (Arc<Recorder>, Arc<Taken>) {
    let taken = Arc::<Taken>::default();
    let random = Mutex::new(Random(seed));
    let receiver = Receiver { is_well: !weather.receiver_fails, random, taken: Arc::clone(&taken) };
    let queue_spans_max = if weather.receiver_fails { SMALL_QUEUE } else { usize::MAX };
    let queue = QueueLimits { queue_spans_max, queue_bytes_max: usize::MAX };
    let settings = PipelineSettings::new(&Settings::default().bsp, Duration::from_secs(10));
    let settings = PipelineSettings { queue, ..settings };
    let resources = Resources::new(None, &[], RESOURCES_MAX, Arc::clone(counters));
    let pipeline = Pipeline::start(settings, resources, Box::new(receiver), Arc::clone(counters));
    (Arc::new(Recorder::new(pipeline.expect("the pipeline starts"))), taken)
}

/// Runs one seed, and answers how many messages it had.
fn simulate(seed: u64, reads: u64, component: &[u8]) -> u64 {
    let weather = Weather::of(seed);
    let mut random = Random(seed);
    let counters = Arc::<Counters>::default();
    let (recorder, taken) = recorder(seed, &weather, &counters);
    let open_spans_max = if weather.table_is_small { SMALL_TABLE } else { 1 << 20 };
    let options = Options { open_spans_max, ..Options::default() };
    let sink = Arc::<Recorder>::clone(&recorder);
    let bed = Bed::with_sink(seed, options, sink, Arc::clone(&counters));
    let failing = failing(component, &recorder, &counters);
    let mut common = Common::new(weather.some_unsampled);
    let mut seen = Seen::default();
    let mut talks: Vec<_> =
        (0..SESSIONS).map(|_| Talk::new(bed.session(), failing.tracer(), &mut random)).collect();
    let mut now = START;
    for _ in 0..reads {
        let talk = &mut talks[random.below(SESSIONS as u64) as usize];
        now = next_time(&mut random, now, weather.clock_jumps);
        talk.session.now = now;
        let side = random.pick(&[Side::Client, Side::Broker]);
        for _ in 0..random.below(OPERATIONS_PER_READ_MAX) {
            match side {
                Side::Client => common.client(&mut random, &mut talk.asked, &mut talk.client),
                Side::Broker => common.broker(&mut random, &mut talk.asked, now, &mut talk.broker),
            }
        }
        let goes_wrong = weather.component_fails && random.below(FAIL) == 0;
        talk.feed(&mut random, side, goes_wrong);
        if random.below(SWEEP) == 0 {
            while bed.open_spans.sweep(now, &mut talk.session.tools) {}
        }
        if random.below(CUT) == 0 {
            talk.end(&mut seen);
            *talk = Talk::new(bed.session(), failing.tracer(), &mut random);
        }
    }
    talks.iter_mut().for_each(|talk| talk.end(&mut seen));
    let abandoned_before_end = recorder.made().with(&["abandoned"]);
    bed.open_spans.drain(now, &mut talks[0].session.tools);
    assert!(bed.open_spans.is_empty());
    recorder.pipeline.shutdown(Duration::from_secs(1));
    let made = recorder.made();
    let is_well = !weather.component_fails;
    let (taken, counters) = (taken.get(), &counters);
    Books { seen: &seen, made: &made, taken, counters, is_well, abandoned_before_end }.check();
    seen.published + seen.delivered
}

/// Time goes on, and where it jumps, goes back or far ahead.
fn next_time(random: &mut Random, now: u64, jumps: bool) -> u64 {
    if !jumps || random.below(JUMP) != 0 {
        return now + random.below(SECOND / 100);
    }
    match random.below(2) {
        0 => START.max(now - random.below(3600) * SECOND),
        _ => now + random.below(3 * 3600) * SECOND,
    }
}

#[test]
fn whatever_goes_wrong_every_byte_and_every_span_is_accounted_for() {
    let component = faulty();
    for seed in 0..SEEDS {
        let _seed = Seed(seed);
        simulate(seed, READS, &component);
    }
}

/// Runs random seeds for as long as the variable says.
#[test]
#[ignore = "runs for as long as it is told to: make soak"]
fn random_seeds_are_accounted_for_as_well() {
    let seconds = std::env::var(SECONDS).map_or(10, |text| text.parse().expect("seconds"));
    let component = faulty();
    let started = Instant::now();
    let since_epoch = std::time::UNIX_EPOCH.elapsed().expect("the clock is right");
    let mut random = Random(since_epoch.as_nanos() as u64);
    let (mut messages, mut seeds) = (0, 0);
    while started.elapsed() < Duration::from_secs(seconds) {
        let seed = random.next();
        let _seed = Seed(seed);
        messages += simulate(seed, 10 * READS, &component);
        seeds += 1;
    }
    let a_minute = messages as f64 * 60.0 / started.elapsed().as_secs_f64();
    eprintln!("{seeds} seeds, {messages} messages, {a_minute:.0} a minute");
}
