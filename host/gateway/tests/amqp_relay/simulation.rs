//! Random sessions, cut at random places, against a model of what should come of them.
//!
//! In each round both peers send something; what a peer answers, it answers in the next round. The
//! bytes of both reach the relay in pieces that end anywhere, in turns. The model knows what was
//! sent and which spans it should make; it knows nothing of ids.

use spanbridge_gateway::relay::Side;

use crate::expected::{Expected, in_turns};
use crate::frames::{
    Delivery, Properties, Written, ack, confirm_select, content, cut, nack, publish_method,
    text_entry,
};
use crate::harness::{Bed, CLIENT, CONSUMER, PRODUCER, SECOND, Session};
use crate::random::{Random, Seed};

const SESSIONS: u64 = 40;
const ROUNDS: usize = 30;
const MESSAGES_PER_ROUND_MAX: u64 = 6;
const CHANNELS: u16 = 3;
/// Its publishes are confirmed, and nobody else's.
const CONFIRMED: u16 = 2;

const CONTEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What should come of what was sent.
#[derive(Default)]
struct Model {
    spans: Expected,
    /// Publishes that wait for their confirmation: number, kind and name.
    waiting: Vec<(u64, i32, String)>,
    published: u64,
    /// Unsettled deliveries of each channel: tag and queue.
    unsettled: [Vec<(u64, &'static str)>; CHANNELS as usize],
    tags: [u64; CHANNELS as usize],
    unmatched: u64,
    /// For each content header of the client, whether it gets a context.
    injected: Vec<bool>,
}

/// Frames that are not to be torn apart by others of their channel.
type Piece = Vec<Vec<u8>>;

impl Model {
    fn client(&mut self, random: &mut Random, before: &mut Before, channel: u16) -> Piece {
        match random.below(8) {
            0..4 => self.publish(random, channel),
            4 => vec![vec![8, 0, 0, 0, 0, 0, 0, 0xce]],
            _ => vec![self.settle(random, before, channel)],
        }
    }

    fn publish(&mut self, random: &mut Random, channel: u16) -> Piece {
        let (exchange, key, name) = random.pick(&[
            ("", "tasks", Some("tasks")),
            ("shop", "paid", Some("shop:paid")),
            ("shop", "", Some("shop")),
            ("", "amq.gen-1", None),
            ("celeryev", "worker.heartbeat", None),
        ]);
        let has_context = random.below(3) == 0;
        let headers = match has_context {
            true => vec![text_entry("a", "b"), text_entry("traceparent", CONTEXT)],
            false => random.pick(&[vec![], vec![text_entry("a", "b")]]),
        };
        let properties = Properties::with_headers(&headers);
        self.injected.push(name.is_some() && !has_context);
        self.published += u64::from(channel == CONFIRMED);
        if let Some(name) = name {
            let (kind, name) =
                (if has_context { CLIENT } else { PRODUCER }, format!("publish {name}"));
            match channel == CONFIRMED {
                true => self.waiting.push((self.published, kind, name)),
                false => self.spans.add(kind, name, None),
            }
        }
        let body = vec![b'x'; random.pick(&[0, 1, 100, 9000])];
        let content = content(channel, &properties, &body, 4096);
        [vec![publish_method(channel, exchange, key, false)], split(&content)].concat()
    }

    fn settle(&mut self, random: &mut Random, before: &mut Before, channel: u16) -> Vec<u8> {
        let list = &mut before.0[usize::from(channel - 1)];
        let Some((tag, queue)) = random.take(list) else {
            self.unmatched += 1;
            return ack(channel, 1 << 40, false);
        };
        let (mut settled, multiple) = (vec![(tag, queue)], random.below(3) == 0);
        if multiple {
            settled.extend(list.extract_if(.., |(other, _)| *other < tag));
        }
        let (frame, outcome) = match random.below(3) {
            0 => (nack(channel, tag, u8::from(multiple)), "reject"),
            1 => (nack(channel, tag, u8::from(multiple) | 2), "requeue"),
            _ => (ack(channel, tag, multiple), "ack"),
        };
        for (_, queue) in settled {
            self.spans.add(CONSUMER, format!("process {queue}"), Some(outcome));
        }
        frame
    }

    fn broker(&mut self, random: &mut Random, known: u64, channel: u16) -> Piece {
        if channel == CONFIRMED && random.below(3) == 0 {
            return self.answer(random, known).into_iter().collect();
        }
        let at = usize::from(channel - 1);
        self.tags[at] += 1;
        let tag = self.tags[at];
        let (consumer, queue) = random.pick(&[("late", "tasks"), ("none", "logs")]);
        match consumer {
            "late" => self.unsettled[at].push((tag, queue)),
            _ => self.spans.add(CONSUMER, format!("process {queue}"), None),
        }
        let properties = Properties::with_headers(
            &random.pick(&[vec![], vec![text_entry("traceparent", CONTEXT)]]),
        );
        let delivery = Delivery {
            channel,
            consumer,
            key: queue,
            properties,
            redelivered: random.below(4) == 0,
            body: random.pick(&[&b""[..], b"body", &[b'y'; 5000]]),
            ..Delivery::tagged(tag)
        };
        split(&delivery.frames())
    }

    /// Confirms what was published before this round.
    fn answer(&mut self, random: &mut Random, known: u64) -> Option<Vec<u8>> {
        let list = self.waiting.iter().filter(|(number, ..)| *number <= known).count();
        if list == 0 {
            return None;
        }
        let at = random.below(list as u64) as usize;
        let multiple = random.below(2) == 0;
        let number = self.waiting[at].0;
        let answered: Vec<_> = if multiple {
            self.waiting.drain(..=at).collect()
        } else {
            vec![self.waiting.remove(at)]
        };
        let refused = random.below(3) == 0;
        for (_, kind, name) in answered {
            self.spans.add(kind, name, Some(if refused { "refused" } else { "confirmed" }));
        }
        Some(if refused {
            nack(CONFIRMED, number, u8::from(multiple))
        } else {
            ack(CONFIRMED, number, multiple)
        })
    }
}

/// What the client may settle in a round: nothing that is delivered in it.
struct Before([Vec<(u64, &'static str)>; CHANNELS as usize]);

/// Cuts bytes into frames again.
fn split(bytes: &[u8]) -> Piece {
    let frame = |it: Written| crate::frames::frame(it.kind, it.channel, &it.payload);
    cut(bytes).into_iter().map(frame).collect()
}

/// Puts the frames of several channels between each other, each channel's in their order.
fn interleave(random: &mut Random, mut queues: Vec<Piece>) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        queues.retain(|queue| !queue.is_empty());
        if queues.is_empty() {
            return out;
        }
        let at = random.below(queues.len() as u64) as usize;
        out.extend(queues[at].remove(0));
    }
}

#[test]
fn random_sessions_come_out_as_the_model_says() {
    for seed in 0..SESSIONS {
        let _seed = Seed(seed);
        simulate(seed);
    }
}

fn simulate(seed: u64) {
    let mut random = Random(seed);
    let bed = Bed::new(seed);
    let mut session = open(&bed);
    let mut model = Model::default();
    let (mut from_client, mut from_broker) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        session.now += SECOND;
        let mut before = Before(std::mem::take(&mut model.unsettled));
        let known = model.published;
        let (mut client, mut broker) = (Vec::new(), Vec::new());
        for channel in 1..=CHANNELS {
            let messages = 0..random.below(MESSAGES_PER_ROUND_MAX);
            let sent = messages.flat_map(|_| model.broker(&mut random, known, channel));
            broker.push(sent.collect());
            for _ in 0..random.below(MESSAGES_PER_ROUND_MAX) {
                let sent = model.client(&mut random, &mut before, channel);
                client.extend(sent.concat());
            }
        }
        for (list, mut old) in model.unsettled.iter_mut().zip(before.0) {
            old.append(list);
            *list = old;
        }
        // Only the broker's messages are torn apart: the model counts the client's headers.
        let broker = interleave(&mut random, broker);
        in_turns(&mut random, &client, &broker, |side, piece| {
            session.feed(side, piece);
        });
        assert!(session.is_at_boundary(Side::Client) && session.is_at_boundary(Side::Broker));
        from_client.extend(client);
        from_broker.extend(broker);
    }
    finish(&bed, &mut session, &mut model);
    check_bytes(&session, &model, &from_client, &from_broker);
    std::mem::take(&mut model.spans).check(bed.spans());
    assert_eq!(bed.counters.settle_unmatched.get(), model.unmatched);
    assert_eq!(bed.counters.sessions_raw.total(), 0);
}

fn open(bed: &Bed) -> Session {
    let mut session = bed.connected();
    for channel in 1..=CHANNELS {
        session.open_channel(channel);
        session.consume(channel, "tasks", "late", false);
        session.consume(channel, "logs", "none", true);
    }
    session.client(confirm_select(CONFIRMED));
    session.forget();
    session
}

/// Ends the session: what is open ends as that.
fn finish(bed: &Bed, session: &mut Session, model: &mut Model) {
    session.close();
    for (_, kind, name) in std::mem::take(&mut model.waiting) {
        model.spans.add(kind, name, Some("unanswered"));
    }
    for (_, queue) in std::mem::take(&mut model.unsettled).into_iter().flatten() {
        model.spans.add(CONSUMER, format!("process {queue}"), Some("abandoned"));
    }
    assert!(bed.open_spans.is_empty());
}

/// Nothing is lost, doubled, damaged or out of order; context is added where the model says so.
fn check_bytes(session: &Session, model: &Model, from_client: &[u8], from_broker: &[u8]) {
    assert!(session.to_client == from_broker, "deliveries keep their bytes");
    let (sent, original) = (cut(&session.to_broker), cut(from_client));
    assert_eq!(sent.len(), original.len());
    let mut injected = model.injected.iter();
    for (sent, original) in sent.iter().zip(&original) {
        if original.kind != 2 {
            assert_eq!(sent, original);
            continue;
        }
        let (now, before) = (sent.headers(), original.headers());
        assert!(now.starts_with(&before), "{now:?} {before:?}");
        let expected = *injected.next().unwrap();
        assert_eq!(now.len() > before.len(), expected, "{now:?}");
        assert_eq!(
            (sent.channel, &sent.payload[..12]),
            (original.channel, &original.payload[..12])
        );
    }
    assert_eq!(injected.next(), None);
}
