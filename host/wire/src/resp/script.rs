//! Commands that run a script.

use super::arguments::{Arguments, Command};
use super::name::Name;
use crate::Extent;

/// `EVAL`, `EVALSHA`, `FCALL`, or one of them that only reads.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// The text of the script, its hash, or the name of the function.
    pub script: Extent,
    /// The keys.
    pub keys: Arguments<'a>,
    /// The other arguments.
    pub arguments: Arguments<'a>,
}

impl<'a> Script<'a> {
    /// Reads the arguments. `None`: they are not understood.
    pub fn of(command: &Command, bytes: &'a [u8]) -> Option<Self> {
        let is_script = matches!(
            command.name,
            Name::Eval
                | Name::EvalRo
                | Name::Evalsha
                | Name::EvalshaRo
                | Name::Fcall
                | Name::FcallRo
        );
        if !is_script {
            return None;
        }
        let mut rest = command.arguments(bytes);
        let script = rest.next()?;
        let keys_len = u32::try_from(rest.number()?).ok()?;
        let keys = rest.split(keys_len)?;
        Some(Self { script, keys, arguments: rest })
    }
}
