//! Random sessions, cut at random places, against a model of what should come of them.
//!
//! In each round both peers send something; what a peer answers, it answers in the next round. The
//! bytes of both reach the relay in pieces that end anywhere, in turns. The model knows what was
//! sent and which spans it should make; it knows nothing of ids.

use spanbridge_gateway::relay::Side;

use crate::expected::{Expected, in_turns};
use crate::frames::{
    Operation, StreamMessage, acknowledge, deliver, deliver_from_stream, operations, publish,
    status,
};
use crate::harness::{Bed, CLIENT, CONSUMER, PRODUCER, SECOND, START, Session};
use crate::random::{Random, Seed};

const SESSIONS: u64 = 40;
const ROUNDS: usize = 30;
const OPERATIONS_PER_ROUND_MAX: u64 = 8;

const CONTEXT: &str = "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

/// What should come of what was sent.
#[derive(Default)]
struct Model {
    spans: Expected,
    /// Publishes without an answer: reply subject, and the span's kind and name.
    waiting: Vec<(String, i32, String)>,
    /// Deliveries without settlement.
    unsettled: Vec<StreamMessage>,
    /// Refused deliveries, which come again.
    refused: Vec<StreamMessage>,
    unmatched: u64,
    /// For each operation of the client, whether it gets a context.
    injected: Vec<bool>,
    replies: u64,
    sequence: u64,
}

impl Model {
    fn settled(&mut self, message: &StreamMessage, outcome: &'static str) {
        self.spans.add(CONSUMER, format!("process {}", message.subject), Some(outcome));
    }

    /// One operation of the client.
    fn client(&mut self, random: &mut Random) -> String {
        let injected = self.injected.len();
        self.injected.push(false);
        match random.below(10) {
            0..4 => {
                self.injected[injected] = true;
                self.publish(random)
            }
            4 => {
                let sent = self.publish(random);
                let (line, rest) = sent.split_once("\r\n").unwrap();
                format!("{}\r\n{rest}", line.replace(' ', " \t"))
            }
            5 => random.pick(&["PING\r\n", "PONG\r\n", "SUB x  9\r\n", "UNSUB 77 \r\n"]).into(),
            6 => {
                let subjects = ["_INBOX.a.b", "$JS.API.STREAM.INFO.S", "$SYS.x", "$JS.FC.x"];
                publish(random.pick(&subjects), "_INBOX.none", None, "{}")
            }
            _ => self.acknowledge(random),
        }
    }

    fn publish(&mut self, random: &mut Random) -> String {
        let subject = format!("orders.{}", random.below(3));
        let name = format!("publish {subject}");
        let has_context = random.below(3) == 0;
        let last = self.injected.len() - 1;
        self.injected[last] = !has_context;
        let kind = if has_context { CLIENT } else { PRODUCER };
        let headers =
            if has_context { Some(CONTEXT) } else { random.pick(&[None, Some("A: b\r\n")]) };
        let mut reply = String::new();
        if random.below(2) == 0 {
            self.replies += 1;
            reply = format!("_INBOX.me.{}", self.replies);
            self.waiting.push((reply.clone(), kind, name));
        } else {
            self.spans.add(kind, name, None);
        }
        let payload = random.pick(&["", "hello", "\r\nPUB a 1\r\nx\r\n", "long enough to be cut"]);
        publish(&subject, &reply, headers, payload)
    }

    fn acknowledge(&mut self, random: &mut Random) -> String {
        let Some(message) = random.take(&mut self.unsettled) else {
            self.unmatched += 1;
            let subject = String::new();
            let unknown = StreamMessage { subject, sequence: 0, attempt: 1, stored: 1 };
            return acknowledge(&unknown, "+ACK");
        };
        let (said, outcome) = random.pick(&[
            ("+ACK", "ack"),
            ("", "ack"),
            ("-NAK", "nack"),
            ("-NAK {\"delay\":1000}", "nack"),
            ("+TERM because", "term"),
            ("+WPI", ""),
        ]);
        match outcome {
            "" => self.unsettled.push(message.clone()),
            outcome => self.settled(&message, outcome),
        }
        if outcome == "nack" {
            self.refused.push(message.clone());
        }
        acknowledge(&message, said)
    }

    /// One operation of the broker, about what was known before this round.
    fn broker(&mut self, random: &mut Random, before: &mut Before, new: &mut New) -> String {
        match random.below(8) {
            0 => random.pick(&["PING\r\n", "PONG\r\n", "+OK\r\n", "-ERR 'x'\r\n"]).into(),
            1 => status("_INBOX.other", random.pick(&["100 Idle Heartbeat", "404 No Messages"])),
            2 => {
                let subject = format!("news.{}", random.below(3));
                self.spans.add(CONSUMER, format!("process {subject}"), None);
                deliver(&subject, "", random.pick(&[None, Some(CONTEXT)]), "read all about it")
            }
            3 | 4 => match random.take(&mut before.waiting) {
                Some(waiting) => self.answer(random, waiting),
                None => deliver("_INBOX.late", "", None, "{}"),
            },
            5 => {
                let again = match random.take(&mut before.unsettled) {
                    Some(silent) => {
                        self.settled(&silent, "expired");
                        Some(silent)
                    }
                    None => random.take(&mut before.refused),
                };
                let message = again.map_or_else(|| self.message(random), |old| old.again());
                new.0.push(message.clone());
                deliver_from_stream(&message, random.pick(&[None, Some(CONTEXT)]))
            }
            _ => {
                let message = self.message(random);
                new.0.push(message.clone());
                deliver_from_stream(&message, Some("Nats-Msg-Id: 1\r\n"))
            }
        }
    }

    fn message(&mut self, random: &mut Random) -> StreamMessage {
        self.sequence += 1;
        let subject = format!("orders.{}", random.below(3));
        StreamMessage { subject, sequence: self.sequence, attempt: 1, stored: START }
    }

    fn answer(&mut self, random: &mut Random, waiting: (String, i32, String)) -> String {
        let (reply, kind, name) = waiting;
        let stored = r#"{"stream":"ORDERS","seq":1}"#;
        let refused = r#"{"error":{"code":503,"description":"no"}}"#;
        let (answer, outcome) = match random.below(4) {
            0 => (deliver(&reply, "", None, stored), "confirmed"),
            1 => (deliver(&reply, "", None, refused), "refused"),
            2 => (deliver(&reply, "", None, "an answer of somebody"), "confirmed"),
            _ => (status(&reply, "503"), "returned"),
        };
        self.spans.add(kind, name, Some(outcome));
        answer
    }
}

/// What the broker may speak about in a round: nothing that the client touches in it.
struct Before {
    waiting: Vec<(String, i32, String)>,
    unsettled: Vec<StreamMessage>,
    refused: Vec<StreamMessage>,
}

/// What the broker delivered in a round.
struct New(Vec<StreamMessage>);

/// Splits off a random half.
fn split<T>(random: &mut Random, from: &mut Vec<T>) -> Vec<T> {
    let at = random.below(from.len() as u64 + 1) as usize;
    from.split_off(at)
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
    let mut session = bed.connected();
    let mut model = Model::default();
    let (mut from_client, mut from_broker) = (String::new(), String::new());
    for _ in 0..ROUNDS {
        session.now += SECOND;
        let mut before = Before {
            waiting: split(&mut random, &mut model.waiting),
            unsettled: split(&mut random, &mut model.unsettled),
            refused: split(&mut random, &mut model.refused),
        };
        let mut new = New(Vec::new());
        let (mut client, mut broker) = (String::new(), String::new());
        for _ in 0..random.below(OPERATIONS_PER_ROUND_MAX) {
            client += &model.client(&mut random);
        }
        for _ in 0..random.below(OPERATIONS_PER_ROUND_MAX) {
            broker += &model.broker(&mut random, &mut before, &mut new);
        }
        model.waiting.append(&mut before.waiting);
        model.unsettled.append(&mut before.unsettled);
        model.unsettled.append(&mut new.0);
        model.refused.append(&mut before.refused);
        in_turns(&mut random, client.as_bytes(), broker.as_bytes(), |side, piece| {
            session.feed(side, piece);
        });
        assert!(session.is_at_boundary(Side::Client) && session.is_at_boundary(Side::Broker));
        from_client += &client;
        from_broker += &broker;
    }
    finish(&bed, &mut session, &mut model);
    check_bytes(&session, &model, &from_client, &from_broker);
    std::mem::take(&mut model.spans).check(bed.spans());
    assert_eq!(bed.counters.settle_unmatched.get(), model.unmatched);
}

/// Ends the session and the process: what is open ends as that.
fn finish(bed: &Bed, session: &mut Session, model: &mut Model) {
    session.close();
    for (_, kind, name) in std::mem::take(&mut model.waiting) {
        model.spans.add(kind, name, Some("unanswered"));
    }
    bed.open_spans.drain(session.now, &mut session.tools);
    for message in std::mem::take(&mut model.unsettled) {
        model.settled(&message, "abandoned");
    }
    assert!(bed.open_spans.is_empty());
}

/// Nothing is lost, doubled, damaged or out of order; context is added where the model says so.
fn check_bytes(session: &Session, model: &Model, from_client: &str, from_broker: &str) {
    assert_eq!(String::from_utf8_lossy(&session.to_client), from_broker);
    let (sent, original) = (operations(&session.to_broker), operations(from_client.as_bytes()));
    assert_eq!((sent.len(), model.injected.len()), (original.len(), original.len()));
    for ((sent, original), &injected) in sent.iter().zip(&original).zip(&model.injected) {
        assert_eq!(sent.traceparent != original.traceparent, injected, "{sent:?}");
        let expected = Operation { traceparent: sent.traceparent.clone(), ..original.clone() };
        assert_eq!(*sent, expected);
    }
}
