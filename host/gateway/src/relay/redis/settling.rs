//! Entries that are done with, on whatever connection.
//!
//! `XACK` and `XACKDEL` say for which group. `XDEL` and `XDELEX` take an entry away from all of
//! them; where it was acknowledged before, that says nothing new.
//!
//! One command may settle more than a batch of ended spans takes. The rest ends behind the next
//! writes, and what was read behind that command waits for it.

use spanbridge::{Outcome, Settlement};
use spanbridge_wire::resp::{Acknowledge, Command, Name};

use super::entry::{EntryId, Group, is_control};
use super::limits::ENDED_PER_READ_MAX;
use super::state::{Call, State};

/// What has not been settled yet of what one command settles.
#[derive(Debug)]
pub(super) struct Ending {
    command: Command,
    /// The command.
    bytes: Box<[u8]>,
    database: u64,
    /// So many have been.
    settled: usize,
}

impl State {
    /// A client says that entries are done with.
    pub(super) fn acknowledge(&mut self, command: &Command, bytes: &[u8], call: &mut Call<'_>) {
        let database = self.database;
        if let Some(settled) = self.settle_from(0, command, bytes, database, call) {
            let ending = Ending { command: *command, bytes: bytes.into(), database, settled };
            self.ending = Some(Box::new(ending));
        }
    }

    /// Answers whether everything has been settled that the client has said so of.
    pub(super) fn go_on_ending(&mut self, call: &mut Call<'_>) -> bool {
        let Some(mut ending) = self.ending.take() else { return true };
        let Ending { command, bytes, database, settled } = &*ending;
        match self.settle_from(*settled, command, bytes, *database, call) {
            None => true,
            Some(settled) => {
                ending.settled = settled;
                self.ending = Some(ending);
                false
            }
        }
    }

    /// Settles entries that a command names, from one on. Answers how many have been, if not all.
    fn settle_from(
        &mut self,
        from: usize,
        command: &Command,
        bytes: &[u8],
        database: u64,
        call: &mut Call<'_>,
    ) -> Option<usize> {
        let Acknowledge { key, group, ids } = Acknowledge::of(command, bytes)?;
        let stream = key.of(bytes);
        let choice = self.routes.choose_in(database, &[stream]);
        let is_traced = self.routes.get(choice).route.is_some();
        if !is_traced || is_control(stream) || spares_pending(command, bytes) {
            return None;
        }
        let own = group.map(|group| group.of(bytes));
        let others = match own {
            Some(_) => Vec::new(),
            None => call.shared.groups.of(database, stream, call.now),
        };
        let (listener, with_others) = (call.shared.number, ids.left() > 1);
        for (at, id) in ids.enumerate().skip(from) {
            let tools = &mut *call.tools;
            if tools.settle.len() >= ENDED_PER_READ_MAX || tools.settle.is_full() {
                return Some(at);
            }
            let Some(id) = EntryId::parse(id.of(bytes)) else { continue };
            for name in own.into_iter().chain(others.iter().map(|name| &**name)) {
                let key = &mut self.scratch;
                key.clear();
                Group { listener, database, stream, name }.write_key(id, key);
                let end = Settlement::new(Outcome::Ack, call.now);
                let settle = &mut tools.settle;
                let is_known = tools.open_spans.settle_for_good(key, &end, with_others, settle);
                if !is_known && own.is_some() {
                    tools.counters.settle_unmatched.add(1);
                }
            }
        }
        None
    }
}

/// Answers whether a command deletes only what nobody has to acknowledge any more.
fn spares_pending(command: &Command, bytes: &[u8]) -> bool {
    let mut option = command.arguments(bytes).skip(1).take(1);
    command.name == Name::Xdelex && option.any(|it| it.of(bytes).eq_ignore_ascii_case(b"ACKED"))
}
