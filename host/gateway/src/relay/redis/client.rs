//! What a client sends: which reply each command gets, and what it says about the session.

use spanbridge_wire::resp::{
    Auth, Client, Command, CommandFrame, CommandPart, Hello, Inline, Name, ReplyMode, select,
};

use super::limits::AWAITED_BYTES_MAX;
use super::lists::is_push;
use super::popped::is_pop;
use super::reading::Reading;
use super::replies::Awaited;
use super::state::{Call, Found, State, Stop};

impl State {
    /// # Errors
    ///
    /// From here on the session cannot be read.
    pub(super) fn command_frame(
        &mut self,
        frame: &CommandFrame,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), Stop> {
        match frame {
            CommandFrame::Command(command) => self.command(command, found, call),
            CommandFrame::Part(part) if part.first => self.passing(part, call),
            CommandFrame::Inline(inline) => self.inline(inline, call),
            CommandFrame::Part(_) | CommandFrame::Empty => Ok(()),
        }
    }

    /// A whole command.
    fn command(
        &mut self,
        command: &Command,
        found: Found<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), Stop> {
        match command.name {
            Name::Xadd => self.publish(command, found, call),
            Name::Xread | Name::Xreadgroup | Name::Xclaim | Name::Xautoclaim => {
                self.read(command, found.bytes, call);
            }
            Name::Xack | Name::Xackdel | Name::Xdel | Name::Xdelex => {
                self.expect(Awaited::Plain(1));
                self.acknowledge(command, found.bytes, call);
            }
            name if is_push(name) => self.push(command, found, call),
            name if is_pop(name) => self.pop(command, found.bytes, call),
            Name::Hdel | Name::Hget => {
                self.expect(Awaited::Plain(1));
                self.hash_field(command, found.bytes, call);
            }
            Name::Cluster | Name::Sentinel => self.ask_topology(command, found.bytes),
            Name::Select => self.select(command, found.bytes),
            Name::Auth | Name::Hello => self.login(command, found.bytes, call),
            Name::Client => return self.client_command(command, found.bytes, call),
            name => return self.named(name, command.arguments_len()),
        }
        Ok(())
    }

    /// The beginning of a command that is not held.
    fn passing(&mut self, part: &CommandPart, call: &mut Call<'_>) -> Result<(), Stop> {
        if part.too_long && is_message(part.name) {
            call.tools.counters.redis_unread.command.add(1);
        }
        self.named(part.name, part.arguments_len)
    }

    /// A line of words. What matters of one, its arguments say, which nobody reads.
    fn inline(&mut self, inline: &Inline, call: &mut Call<'_>) -> Result<(), Stop> {
        let Some(name) = inline.name else { return Err(Stop::Mode(Name::Other)) };
        let is_unreadable = matches!(name, Name::Client | Name::Select | Name::Hello);
        if is_unreadable || name.is_subscription() {
            return Err(Stop::Mode(name));
        }
        if is_message(name) {
            call.tools.counters.redis_unread.command.add(1);
        }
        self.named(name, u32::from(inline.has_arguments))
    }

    /// A command of which the name and the number of arguments are known.
    fn named(&mut self, name: Name, arguments: u32) -> Result<(), Stop> {
        if name.ends_replies() {
            return Err(Stop::Mode(name));
        }
        if name.is_subscription() {
            return self.subscription(name, arguments);
        }
        match name {
            Name::Multi => {
                self.expect_now(Awaited::Plain(1));
                self.transaction.get_or_insert(self.database);
            }
            Name::Exec => match self.transaction.take() {
                Some(former) => self.expect_now(Awaited::Exec { former }),
                None => self.expect_now(Awaited::Plain(1)),
            },
            Name::Discard => match self.transaction.take() {
                Some(former) => self.expect_now(Awaited::Discard { former }),
                None => self.expect_now(Awaited::Plain(1)),
            },
            Name::Reset => {
                if self.reply_mode == ReplyMode::Off {
                    self.reply_mode = ReplyMode::On;
                }
                self.transaction = None;
                self.database = 0;
                self.expect_now(Awaited::Reset);
            }
            Name::Quit => {
                self.is_over = true;
                self.expect_now(Awaited::Plain(1));
            }
            Name::Watch => self.expect_now(Awaited::Plain(1)),
            name if name.is_blocking() && self.transaction.is_none() => {
                self.expect(Awaited::Blocking);
            }
            _ => drop(self.expect(Awaited::Plain(1))),
        }
        Ok(())
    }

    fn subscription(&mut self, name: Name, arguments: u32) -> Result<(), Stop> {
        if self.transaction.is_some() {
            return Err(Stop::Mode(name));
        }
        let left = (arguments > 0).then_some(u64::from(arguments));
        self.expect_now(Awaited::Subscription { left });
        Ok(())
    }

    /// A command asks for entries.
    fn read(&mut self, command: &Command, bytes: &[u8], call: &Call<'_>) {
        let reading = Reading::of(command, bytes, self.database, call.now);
        let Some(reading) = reading.filter(|_| self.reply_mode == ReplyMode::On) else {
            self.expect(Awaited::Plain(1));
            return;
        };
        let more = reading.bytes();
        if !self.has_room(more) {
            call.tools.counters.redis_unread.count.add(1);
            self.expect(Awaited::Plain(1));
            return;
        }
        self.awaited_bytes += more;
        self.expect(Awaited::Read(Box::new(reading)));
    }

    /// Answers whether one more reply can be awaited, of which so many bytes have to be known.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        // Those of a transaction are in one of the two lists, and then in the other.
        self.replies.has_room()
            && self.queued.has_room()
            && self.awaited_bytes.saturating_add(bytes) <= AWAITED_BYTES_MAX
    }

    fn select(&mut self, command: &Command, bytes: &[u8]) {
        let Some(database) = select(command, bytes) else {
            self.expect(Awaited::Plain(1));
            return;
        };
        let former = std::mem::replace(&mut self.database, database);
        self.expect(Awaited::Select { former });
    }

    fn login(&mut self, command: &Command, bytes: &[u8], call: &Call<'_>) {
        let (hello, auth) = (Hello::of(command, bytes), Auth::of(command, bytes));
        let name = hello.and_then(|hello| hello.name).and_then(|name| text(name.of(bytes)));
        if let Some(name) = name {
            self.name = Some(name.into());
            self.identify(call);
        }
        let user = match (hello, auth) {
            (Some(hello), _) => hello.user,
            (None, Some(auth)) => auth.user,
            (None, None) => None,
        };
        let user = user.and_then(|user| text(user.of(bytes))).map(Box::from);
        self.expect(Awaited::Login { user });
    }

    fn client_command(
        &mut self,
        command: &Command,
        bytes: &[u8],
        call: &Call<'_>,
    ) -> Result<(), Stop> {
        match Client::of(command, bytes) {
            Some(Client::SetName(name)) => {
                self.name = text(name.of(bytes)).map(Into::into);
                self.identify(call);
                self.expect(Awaited::Plain(1));
            }
            // What it does is done when the transaction is.
            Some(Client::Reply(_)) if self.transaction.is_some() => {
                return Err(Stop::Mode(command.name));
            }
            Some(Client::Reply(ReplyMode::On)) => {
                self.reply_mode = ReplyMode::On;
                self.expect(Awaited::Plain(1));
            }
            Some(Client::Reply(ReplyMode::Off)) => self.reply_mode = ReplyMode::Off,
            Some(Client::Reply(ReplyMode::Skip)) => {
                if self.reply_mode != ReplyMode::Off {
                    self.reply_mode = ReplyMode::Skip;
                }
            }
            _ => drop(self.expect(Awaited::Plain(1))),
        }
        Ok(())
    }

    /// A command goes on, whose reply will be about this, in a transaction once that is executed.
    /// Answers the number of its place; `None`: no reply will come.
    pub(super) fn expect(&mut self, awaited: Awaited) -> Option<u64> {
        if !self.takes_reply() {
            return None;
        }
        let awaited = match (self.transaction.is_some(), awaited) {
            (true, Awaited::Plain(count)) => Awaited::QueuedPlain(count),
            (true, awaited) => Awaited::Queued(Box::new(awaited)),
            (false, awaited) => awaited,
        };
        Some(self.replies.push(awaited))
    }

    /// The same for a command that is never queued.
    fn expect_now(&mut self, awaited: Awaited) {
        if self.takes_reply() {
            self.replies.push(awaited);
        }
    }

    /// Answers whether the broker answers a command.
    fn takes_reply(&mut self) -> bool {
        match self.reply_mode {
            ReplyMode::On => true,
            ReplyMode::Off => false,
            ReplyMode::Skip => {
                self.reply_mode = ReplyMode::On;
                false
            }
        }
    }
}

/// Answers whether a command is about a message that would have been traced.
fn is_message(name: Name) -> bool {
    matches!(name, Name::Xadd | Name::Xreadgroup | Name::Xread | Name::Xclaim | Name::Xautoclaim)
}

/// A name, if it can be one. Longer ones are cut where resources are kept.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_short = text.len() <= super::limits::NAME_BYTES_MAX;
    is_short.then_some(text).filter(|text| !text.is_empty())
}
