//! The commands that an intermediary has to know, found by name in any case.
//!
//! A name is looked for as the number that its word is. Some names have a `_`, which other bytes
//! give the same number as; so what was found is compared once more.

use super::words::{fold, folded};

macro_rules! names {
    ($($name:ident $text:literal $look:ident)*) => {
        /// The name of a command.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`.")] $name,)*
            /// Any other. Its arguments are not looked at.
            Other,
        }

        impl Name {
            /// The name in capital letters. Empty for [`Self::Other`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other => "",
                }
            }

            const fn look(self) -> Look {
                match self {
                    $(Self::$name => Look::$look,)*
                    Self::Other => Look::Pass,
                }
            }

            #[expect(non_upper_case_globals, reason = "one constant a name of the table")]
            #[inline(always)]
            const fn of_folded(folded: u128) -> Self {
                $(
                    const $name: u128 = fold($text.as_bytes());
                )*
                match folded {
                    $($name => Self::$name,)*
                    _ => Self::Other,
                }
            }

            /// All of the table.
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

/// Whether somebody reads the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// They are held until they are whole.
    Hold,
    /// The name and the number of arguments say it all.
    Pass,
}

names! {
    Xadd "XADD" Hold
    Xread "XREAD" Hold
    Xreadgroup "XREADGROUP" Hold
    Xclaim "XCLAIM" Hold
    Xautoclaim "XAUTOCLAIM" Hold
    Xrange "XRANGE" Hold
    Xrevrange "XREVRANGE" Hold
    Xack "XACK" Hold
    Xackdel "XACKDEL" Hold
    Xdel "XDEL" Hold
    Xdelex "XDELEX" Hold
    Lpush "LPUSH" Hold
    Rpush "RPUSH" Hold
    Lpushx "LPUSHX" Hold
    Rpushx "RPUSHX" Hold
    Lmove "LMOVE" Hold
    Blmove "BLMOVE" Hold
    Rpoplpush "RPOPLPUSH" Hold
    Brpoplpush "BRPOPLPUSH" Hold
    Lpop "LPOP" Hold
    Rpop "RPOP" Hold
    Blpop "BLPOP" Hold
    Brpop "BRPOP" Hold
    Lmpop "LMPOP" Hold
    Blmpop "BLMPOP" Hold
    Lrem "LREM" Hold
    Linsert "LINSERT" Hold
    Publish "PUBLISH" Hold
    Spublish "SPUBLISH" Hold
    Subscribe "SUBSCRIBE" Hold
    Psubscribe "PSUBSCRIBE" Hold
    Ssubscribe "SSUBSCRIBE" Hold
    Unsubscribe "UNSUBSCRIBE" Hold
    Punsubscribe "PUNSUBSCRIBE" Hold
    Sunsubscribe "SUNSUBSCRIBE" Hold
    Zadd "ZADD" Hold
    Zrem "ZREM" Hold
    Zrangebyscore "ZRANGEBYSCORE" Hold
    Hset "HSET" Hold
    Hget "HGET" Hold
    Hdel "HDEL" Hold
    Hmget "HMGET" Hold
    Eval "EVAL" Hold
    EvalRo "EVAL_RO" Hold
    Evalsha "EVALSHA" Hold
    EvalshaRo "EVALSHA_RO" Hold
    Fcall "FCALL" Hold
    FcallRo "FCALL_RO" Hold
    Multi "MULTI" Pass
    Exec "EXEC" Pass
    Discard "DISCARD" Pass
    Watch "WATCH" Pass
    Select "SELECT" Hold
    Hello "HELLO" Hold
    Auth "AUTH" Hold
    Client "CLIENT" Hold
    Reset "RESET" Pass
    Quit "QUIT" Pass
    Monitor "MONITOR" Pass
    Psync "PSYNC" Pass
    Sync "SYNC" Pass
    Replconf "REPLCONF" Pass
    Shutdown "SHUTDOWN" Pass
    Cluster "CLUSTER" Hold
    Readonly "READONLY" Pass
    Readwrite "READWRITE" Pass
    Asking "ASKING" Pass
    Sentinel "SENTINEL" Hold
}

impl Name {
    /// The name that `text` spells, in any case.
    pub fn of(text: &[u8]) -> Self {
        Self::at(text, 0, text.len())
    }

    /// The name that stands in `bytes` between two offsets.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], start: usize, end: usize) -> Self {
        let found = Self::of_folded(folded(bytes, start, end));
        let name = bytes.get(start..end).unwrap_or_default();
        if name.eq_ignore_ascii_case(found.as_str().as_bytes()) { found } else { Self::Other }
    }

    /// Whether the arguments are held until they are whole, as far as the limit allows it.
    #[inline(always)]
    pub(super) const fn is_held(self) -> bool {
        matches!(self.look(), Look::Hold)
    }

    /// Whether its answer comes only when something arrives, or a timeout ends it.
    ///
    /// `XREAD` and `XREADGROUP` block only with `BLOCK`; [`StreamRead`](super::StreamRead) says.
    pub const fn is_blocking(self) -> bool {
        matches!(self, Self::Blmove | Self::Brpoplpush | Self::Blpop | Self::Brpop | Self::Blmpop)
    }

    /// Whether what follows on the connection is no longer one reply a command.
    pub const fn ends_replies(self) -> bool {
        matches!(self, Self::Monitor | Self::Psync | Self::Sync | Self::Replconf)
    }

    /// Whether it is answered once for each channel that it names, at least once: in version 2 by
    /// lists, in version 3 by pushes.
    pub const fn is_subscription(self) -> bool {
        matches!(
            self,
            Self::Subscribe
                | Self::Psubscribe
                | Self::Ssubscribe
                | Self::Unsubscribe
                | Self::Punsubscribe
                | Self::Sunsubscribe
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_wherever_it_stands() {
        for &name in Name::ALL {
            let text = name.as_str();
            let mixed: String = text
                .char_indices()
                .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
                .collect();
            for text in [text, &text.to_lowercase(), &mixed] {
                assert_eq!(Name::of(text.as_bytes()), name);
                let within = format!("$4\r\n{text}\r\n$20\r\naaaaaaaaaaaaaaaaaaaa");
                assert_eq!(Name::at(within.as_bytes(), 4, 4 + text.len()), name, "{text}");
            }
        }
    }

    #[test]
    fn what_only_resembles_a_name_is_another() {
        let table: [&[u8]; 10] = [
            b"",
            b"X",
            b"XADD ",
            b"XADDX",
            b"\0XADD",
            b"XADD\0",
            b"EVALSHA\x7fRO",
            b"ZRANGEBYSCOREWITHSCORES",
            b"\x18ADD",
            b"GET",
        ];
        for text in table {
            assert_eq!(Name::of(text), Name::Other, "{}", text.escape_ascii());
        }
    }
}
