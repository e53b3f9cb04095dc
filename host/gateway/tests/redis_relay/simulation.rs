//! Many sessions between random clients and a small Redis, and an exact account at the end.
//!
//! ```text
//! client ──▶ relay ──▶ server     what clients say, cut anywhere; what comes of it is executed
//!        ◀──       ◀──            one command at a time, whichever session's turn it is
//!             │
//!             └──▶ books          told of each command and answer when its last byte is read
//! ```
//!
//! Sessions share streams, lists and the table of open spans: what one reads, another settles or
//! takes over. They send pipelines, transactions, reads that block, subscriptions, ask for no
//! answers, speak both versions, and die anywhere. The books know what was said and what of that
//! should become which span; they know nothing of bytes.

mod books;
mod bytes;
mod client;
mod server;
mod streams;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use spanbridge_gateway::relay::Side;

use crate::expected::in_turns;
use crate::harness::{Bed, SECOND, START, Session, outcomes};
use crate::random::{Random, Seed};
use crate::routes::routed;
use books::{Books, Pages, Said};
use client::Client;
use server::{Connection, Server};

/// Seeds of the run that CI does.
const SEEDS: u64 = 60;
const TURNS: u64 = 3000;
const SESSIONS: usize = 6;
/// One in so many turns is the last one of its session.
const CUT: u64 = 150;

/// Names the variable with which the second test runs for longer.
const SECONDS: &str = "SPANBRIDGE_SIMULATION_SECONDS";

const ROUTES: &str = "[[route]]\ndestination = \"tasks\"\nenvelope = \"kombu\"\n\
    [[route]]\ndestination = \"late\"\nenvelope = \"kombu\"\nacks = \"late\"\n";

/// A session, what its client has said, and what of both directions was read.
struct Talk {
    session: Session,
    client: Client,
    pages: Pages,
    /// What the client has said, and where each command ends.
    sent: Vec<u8>,
    commands: VecDeque<(usize, Said)>,
    /// Bytes that were read of the client, and of the server.
    read: [usize; 2],
    /// Bytes of what came through that the server has executed.
    executed: usize,
}

impl Talk {
    fn new(bed: &Bed, tags: u64) -> Self {
        Self {
            session: bed.session(),
            client: Client { tags, ..Client::default() },
            pages: Pages::default(),
            sent: Vec::new(),
            commands: VecDeque::new(),
            read: [0; 2],
            executed: 0,
        }
    }

    /// The client says a few things.
    fn say(&mut self, random: &mut Random, server: &Server) {
        for _ in 0..random.below(6) {
            for (bytes, said) in self.client.say(random, server.streams.last()) {
                self.sent.extend(bytes);
                self.commands.push_back((self.sent.len(), said));
            }
        }
    }

    /// Some of what both sides have said is read.
    fn feed(&mut self, random: &mut Random, connection: &mut Connection, books: &mut Books) {
        let [client, broker] = self.read;
        let some = |random: &mut Random, rest: usize| match random.below(3) {
            0 => random.below(rest as u64 + 1) as usize,
            _ => rest,
        };
        let client = client..client + some(random, self.sent.len() - client);
        let broker = broker..broker + some(random, connection.said.len() - broker);
        let Self { session, pages, sent, commands, read, .. } = self;
        let Connection { said, answers, .. } = connection;
        in_turns(random, &sent[client], &said[broker], |side, piece| {
            session.feed(side, piece);
            read[side as usize] += piece.len();
            let end = read[side as usize];
            match side {
                Side::Client => {
                    while let Some((_, said)) = commands.pop_front_if(|(at, _)| *at <= end) {
                        books.said(pages, said);
                    }
                }
                Side::Broker => {
                    while let Some((_, answer)) = answers.pop_front_if(|(at, _)| *at <= end) {
                        books.answered(pages, answer);
                    }
                }
            }
        });
    }

    /// The server executes some of what has arrived.
    fn execute(&mut self, random: &mut Random, server: &mut Server, at: usize) {
        server.look_again(at, random);
        for _ in 0..random.below(6) {
            let arrived = &self.session.to_broker[self.executed..];
            if server.connections[at].is_blocked() {
                return;
            }
            let Some((words, length)) = bytes::command(arrived) else { return };
            self.executed += length;
            server.command(at, words, random);
        }
    }

    /// The session ends where it is; all that was read of it went on.
    fn end(mut self, connection: Connection, books: &mut Books) {
        self.session.close();
        books.closed(self.pages);
        let [client, broker] = self.read;
        assert_eq!(
            self.session.tools.counters.sessions_raw.total(),
            0,
            "{:?}",
            self.session.tools.counters.sessions_raw
        );
        assert!(self.session.to_client == connection.said[..broker], "answers keep their bytes");
        bytes::compare(&self.sent[..client], &self.session.to_broker);
    }
}

#[test]
fn random_sessions_come_out_as_the_books_say() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let _seed = Seed(seed);
        let bed = simulate(seed);
        seen.extend(outcomes(&bed));
    }
    let all = ["abandoned", "ack", "claimed", "confirmed", "expired", "none", "refused", "requeue"];
    let all = all.into_iter().chain(["returned", "unanswered"]);
    assert!(seen.iter().map(String::as_str).eq(all), "nothing was left out: {seen:?}");
}

/// Runs random seeds for as long as the variable says.
#[test]
#[ignore = "runs for as long as it is told to: make soak"]
fn random_seeds_come_out_as_the_books_say_as_well() {
    let seconds = std::env::var(SECONDS).map_or(10, |text| text.parse().expect("seconds"));
    let started = Instant::now();
    let since_epoch = std::time::UNIX_EPOCH.elapsed().expect("the clock is right");
    let mut random = Random(since_epoch.as_nanos() as u64);
    let mut seeds = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        let seed = random.next();
        let _seed = Seed(seed);
        simulate(seed);
        seeds += 1;
    }
    eprintln!("{seeds} seeds");
}

fn simulate(seed: u64) -> Bed {
    let mut random = Random(seed);
    let bed = routed(ROUTES);
    let (mut books, mut server) = (Books::default(), Server::default());
    let mut talks = Vec::new();
    for _ in 0..SESSIONS {
        talks.push(Talk::new(&bed, 0));
        server.connections.push(Connection::default());
    }
    let mut now = START;
    for _ in 0..TURNS {
        now += random.below(SECOND);
        let at = random.below(SESSIONS as u64) as usize;
        let talk = &mut talks[at];
        talk.session.now = now;
        match random.below(3) {
            0 => talk.say(&mut random, &server),
            1 => talk.feed(&mut random, &mut server.connections[at], &mut books),
            _ => talk.execute(&mut random, &mut server, at),
        }
        if random.below(CUT) == 0 {
            let next = Talk::new(&bed, talk.client.tags);
            let ended = std::mem::replace(talk, next);
            ended.end(std::mem::take(&mut server.connections[at]), &mut books);
        }
    }
    for (talk, connection) in talks.into_iter().zip(server.connections) {
        talk.end(connection, &mut books);
    }
    finish(&bed, books, now);
    bed
}

/// The process ends, and what was counted is what the books say.
fn finish(bed: &Bed, mut books: Books, now: u64) {
    let mut session = bed.session();
    bed.open_spans.drain(now, &mut session.tools);
    books.finish();
    assert!(bed.open_spans.is_empty());
    let counters = &bed.counters;
    let found = [
        counters.messages_seen.published.get(),
        counters.messages_seen.delivered.get(),
        counters.settle_unmatched.get(),
        counters.publishes_unanswered.closed.get(),
    ];
    let expected = [books.published, books.delivered, books.unmatched, books.unanswered];
    assert_eq!(found, expected);
    let odd = [
        counters.sessions_raw.total(),
        counters.messages_untraced.total(),
        counters.redis_unread.total(),
        counters.settlements_lost.total(),
        counters.injections_skipped.total(),
        counters.publishes_unanswered.count.get(),
        counters.bodies_left_alone.bytes.get(),
    ];
    assert_eq!(odd, [0; 7]);
    books.spans.check(bed.spans());
}
