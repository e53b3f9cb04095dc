//! What a broker sends: replies in the order of the commands, and pushes among them.

use spanbridge::Outcome;
use spanbridge_wire::resp::{Kind, Published, Reply, ReplyFrame, ReplyPart, Token, Tokens};

use super::replies::Awaited;
use super::state::{Call, Found, State};
use super::topology::{Topology, is_redirection};
use crate::relay::awaiting::{Answered, Awaiting};

impl State {
    pub(super) fn reply_frame(
        &mut self,
        frame: &ReplyFrame,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let is_first = !matches!(frame, ReplyFrame::Part(part) if !part.first);
        if is_first && is_redirection(found.bytes) {
            self.refuse(Topology::Cluster, call);
        }
        match frame {
            ReplyFrame::Whole(reply) => self.whole(reply, found, call),
            ReplyFrame::Part(part) if part.last => self.passed(part, call),
            ReplyFrame::Part(_) => {}
        }
    }

    /// A reply has gone by that nobody wanted, or that was too long.
    fn passed(&mut self, part: &ReplyPart, call: &mut Call<'_>) {
        let is_message = !self.is_resp3 && self.subscriber.is_subscribed();
        if part.kind == Kind::Push || (is_message && part.too_long && part.kind == Kind::Array) {
            if part.too_long && self.is_listening() {
                call.tools.counters.redis_unread.reply.add(1);
            }
            return;
        }
        if part.too_long {
            call.tools.counters.redis_unread.reply.add(1);
        }
        match self.replies.pop() {
            Some(Awaited::Queued(awaited)) => self.give_up(*awaited, call),
            Some(Awaited::Exec { .. }) => self.give_up_queued(call),
            Some(awaited) => self.give_up(awaited, call),
            None => {}
        }
    }

    /// A whole reply, or a push.
    fn whole(&mut self, reply: &Reply, found: Found<'_>, call: &mut Call<'_>) {
        let tokens = reply.tokens(found.bytes);
        let is_subscribed = self.subscriber.is_subscribed()
            || matches!(self.replies.front(), Some(Awaited::Subscription { .. }));
        let may_be_published = match reply.kind {
            Kind::Push => true,
            Kind::Array => is_subscribed && !self.is_resp3,
            _ => false,
        };
        if (may_be_published && self.published(tokens, found, call)) || reply.kind == Kind::Push {
            return;
        }
        match self.replies.pop() {
            Some(Awaited::Queued(awaited)) if is_queued(tokens) => {
                self.queued.push(*awaited);
            }
            Some(Awaited::QueuedPlain(_)) if is_queued(tokens) => {
                self.queued.push(Awaited::Plain(1));
            }
            // The broker refuses it, or knows of no transaction.
            Some(Awaited::Queued(awaited)) => self.answered(*awaited, tokens, found, call),
            Some(Awaited::Exec { former }) => self.executed(former, tokens, found, call),
            Some(Awaited::Discard { former }) => {
                if !is_error(tokens) {
                    self.database = former;
                }
                self.give_up_queued(call);
            }
            Some(Awaited::Reset) => self.reset(call),
            Some(awaited) => self.answered(awaited, tokens, found, call),
            None => {}
        }
    }

    /// A subscriber gets something. Answers whether that is what it was.
    fn published(&mut self, tokens: Tokens<'_>, found: Found<'_>, call: &mut Call<'_>) -> bool {
        let (name, left) = match Published::of(tokens) {
            Some(Published::Subscription { name, left, .. }) => (name, left),
            Some(Published::Message { channel, payload, .. }) => {
                self.mark_message((channel, payload), found, call);
                return true;
            }
            None => return false,
        };
        let answers = self.subscriber.answers(name);
        self.subscriber.note(name, left);
        let Some(Awaited::Subscription { left }) = self.replies.front_mut() else {
            // A shard that has moved ends its subscriptions unasked.
            return true;
        };
        let to_come = left.get_or_insert(answers);
        *to_come = to_come.saturating_sub(1);
        if *to_come == 0 {
            self.replies.pop_place();
        }
        true
    }

    /// What a command was about is answered. `reply` begins with the answer.
    fn answered(
        &mut self,
        awaited: Awaited,
        mut reply: Tokens<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        match awaited {
            Awaited::Publish(publish) => {
                self.leave(&publish);
                if let Some(token) = reply.next() {
                    publish_answered(publish, &token, found.bytes, call);
                }
            }
            Awaited::Heard(publish) => {
                self.leave(&publish);
                if let Some(token) = reply.next() {
                    heard(publish, &token, found.bytes, call);
                }
            }
            Awaited::Publishes(publishes) => {
                let Some(token) = reply.next() else { return };
                for publish in publishes {
                    self.leave(&publish);
                    publish_answered(publish, &token, found.bytes, call);
                }
            }
            Awaited::Pop(popping) => {
                self.awaited_bytes = self.awaited_bytes.saturating_sub(popping.bytes());
                self.mark_popped(&popping, reply, found, call);
            }
            Awaited::Read(reading) => {
                self.awaited_bytes = self.awaited_bytes.saturating_sub(reading.bytes());
                self.mark_entries(&reading, reply, found, call);
            }
            Awaited::Select { former } if is_error(reply) => self.database = former,
            Awaited::Login { user } => {
                self.note_hello(reply, call);
                self.logged_in(user, reply, call);
            }
            Awaited::Topology(topology) => self.note_topology(topology, reply, call),
            _ => {}
        }
    }

    fn logged_in(&mut self, user: Option<Box<str>>, mut reply: Tokens<'_>, call: &Call<'_>) {
        let Some(kind) = reply.next().map(|token| token.kind) else { return };
        match kind {
            kind if kind.is_error() => return,
            Kind::Map => self.is_resp3 = true,
            Kind::Array => self.is_resp3 = false,
            // Of AUTH.
            _ => {}
        }
        if user.is_some() {
            self.user = user;
            self.identify(call);
        }
    }

    fn reset(&mut self, call: &mut Call<'_>) {
        self.give_up_queued(call);
        self.is_resp3 = false;
        self.subscriber = Default::default();
        (self.name, self.user) = (None, None);
        self.identify(call);
    }

    /// A transaction was executed, or not.
    fn executed(
        &mut self,
        former: u64,
        mut reply: Tokens<'_>,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Some(list) = reply.next() else { return };
        let Some(elements) = list.list() else {
            self.database = former;
            if list.kind.is_error() {
                return self.refuse_queued(&list, found, call);
            }
            return self.give_up_queued(call);
        };
        let mut left = u64::from(elements);
        while let Some(awaited) = self.queued.pop_place() {
            let replies = if let Awaited::Plain(count) = awaited { count } else { 1 };
            let Some(rest) = left.checked_sub(replies) else {
                self.give_up(awaited, call);
                return self.give_up_queued(call);
            };
            left = rest;
            self.answered(awaited, reply, found, call);
            // Not more than the elements of a list, which are a `u32`.
            if reply.step_over(u32::try_from(replies).unwrap_or(u32::MAX)).is_none() {
                return self.give_up_queued(call);
            }
        }
    }

    /// The broker refuses a transaction as a whole.
    fn refuse_queued(&mut self, error: &Token, found: Found<'_>, call: &mut Call<'_>) {
        while let Some(awaited) = self.queued.pop_place() {
            let publishes = match awaited {
                Awaited::Publish(publish) | Awaited::Heard(publish) => vec![publish],
                Awaited::Publishes(publishes) => publishes,
                awaited => {
                    self.give_up(awaited, call);
                    continue;
                }
            };
            for publish in publishes {
                self.leave(&publish);
                publish_answered(publish, error, found.bytes, call);
            }
        }
    }

    /// A transaction is taken back.
    fn give_up_queued(&mut self, call: &mut Call<'_>) {
        while let Some(awaited) = self.queued.pop_place() {
            self.give_up(awaited, call);
        }
    }

    /// Nothing will be known of a reply.
    fn give_up(&mut self, awaited: Awaited, call: &mut Call<'_>) {
        match awaited {
            Awaited::Publish(publish) | Awaited::Heard(publish) => {
                self.leave(&publish);
                publish.give_up(&mut call.tools.settle);
            }
            Awaited::Publishes(publishes) => {
                for publish in publishes {
                    self.leave(&publish);
                    publish.give_up(&mut call.tools.settle);
                }
            }
            Awaited::Read(reading) => {
                self.awaited_bytes = self.awaited_bytes.saturating_sub(reading.bytes());
            }
            Awaited::Pop(popping) => {
                self.awaited_bytes = self.awaited_bytes.saturating_sub(popping.bytes());
            }
            _ => {}
        }
    }

    fn leave(&mut self, publish: &Awaiting) {
        // What has no span yet has not been added.
        if !publish.is_idle() {
            self.awaited_bytes = self.awaited_bytes.saturating_sub(publish.bytes());
        }
    }

    /// The session is over, or is not read any more: no reply will be known.
    pub(super) fn end_all(&mut self, call: &mut Call<'_>) {
        while !self.go_on_ending(call) {
            call.tools.settle_ended();
        }
        while let Some(awaited) = self.replies.pop_place().or_else(|| self.queued.pop_place()) {
            call.tools.make_room();
            let awaited = match awaited {
                Awaited::Queued(awaited) => *awaited,
                awaited => awaited,
            };
            let closed = match &awaited {
                Awaited::Publish(publish) | Awaited::Heard(publish) => {
                    usize::from(!publish.is_idle())
                }
                Awaited::Publishes(publishes) => publishes.len(),
                _ => 0,
            };
            call.tools.counters.publishes_unanswered.closed.add(closed as u64);
            self.give_up(awaited, call);
        }
    }
}

/// The broker says what became of a message of a channel. None has to be there who gets it.
fn heard(publish: Awaiting, reply: &Token, bytes: &[u8], call: &mut Call<'_>) {
    if reply.kind.is_error() {
        return publish_answered(publish, reply, bytes, call);
    }
    let answered = Answered { outcome: Outcome::Confirmed, detail: b"", is_timed: true };
    publish.answered(&answered, call.now, &mut call.tools.settle);
}

/// The broker says what became of an entry.
fn publish_answered(publish: Awaiting, reply: &Token, bytes: &[u8], call: &mut Call<'_>) {
    let text = reply.at.of(bytes);
    let (outcome, detail) = match reply.kind {
        kind if kind.is_error() => {
            (Outcome::Refused, text.split(|&byte| byte == b' ').next().unwrap_or_default())
        }
        // There is no such stream or list, and the client wants none made.
        Kind::Null => (Outcome::Returned, &b"NOMKSTREAM"[..]),
        Kind::Integer if text == b"0" => (Outcome::Returned, &b"no such list"[..]),
        _ => (Outcome::Confirmed, &b""[..]),
    };
    let answered = Answered { outcome, detail, is_timed: true };
    publish.answered(&answered, call.now, &mut call.tools.settle);
}

fn is_error(mut reply: Tokens<'_>) -> bool {
    reply.next().is_some_and(|token| token.kind.is_error())
}

/// Answers whether a command was queued for a transaction.
fn is_queued(mut reply: Tokens<'_>) -> bool {
    let bytes = reply.bytes();
    let queued = |token: &Token| token.kind == Kind::Simple && token.at.of(bytes) == b"QUEUED";
    reply.next().is_some_and(|token| queued(&token))
}
