//! Laws of the RESP codec.

use spanbridge_wire::Step;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Acknowledge, Auth, Claim, Client, Command, CommandDecoder, CommandFrame, Error, FieldEdit,
    FieldList, Hello, Move, Name, Pop, Popped, Published, Push, Refusal, Reply, ReplyDecoder,
    ReplyFrame, Script, Splicer, StreamItem, StreamRead, StreamReply, Want, Xadd,
};
use spanbridge_wire::splice::Patch;

/// Small enough that an input of a few hundred bytes meets every limit.
const LIMITS: RespLimits = RespLimits {
    command_bytes_max: 256,
    reply_bytes_max: 256,
    bulk_bytes_max: 128,
    line_bytes_max: 64,
};

/// A stream from a client: however it is cut, the same commands take up the same bytes.
pub fn resp_command(data: &[u8]) {
    same_in_any_chunks(data, CommandDecoder::new(LIMITS), |decoder, bytes| {
        Ok(match decoder.next(bytes)? {
            Step::Need => None,
            Step::Frame { frame: CommandFrame::Part(part), len } => {
                assert_eq!(decoder.is_passing(), !part.last);
                Some(Part { len, is_first: part.first, is_last: part.last, is_held: false })
            }
            Step::Frame { frame: CommandFrame::Command(command), len } => {
                assert!(len <= LIMITS.command_bytes_max as usize);
                check_command(&command, &bytes[..len]);
                Some(Part::held(len))
            }
            Step::Frame { len, .. } => Some(Part::held(len)),
        })
    });
}

/// A stream from a broker: however it is cut, the same replies take up the same bytes.
///
/// The first byte says whether replies are wanted.
pub fn resp_reply(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let want = if first % 2 == 0 { Want::Hold } else { Want::Pass };
    same_in_any_chunks(data, ReplyDecoder::new(LIMITS), |decoder, bytes| {
        Ok(match decoder.next(bytes, want, Want::Hold)? {
            Step::Need => None,
            Step::Frame { frame: ReplyFrame::Part(part), len } => {
                assert_eq!(decoder.is_passing(), !part.last);
                Some(Part { len, is_first: part.first, is_last: part.last, is_held: false })
            }
            Step::Frame { frame: ReplyFrame::Whole(reply), len } => {
                assert!(len <= LIMITS.reply_bytes_max as usize);
                check_reply(&reply, &bytes[..len]);
                Some(Part::held(len))
            }
        })
    });
}

/// Edits and a command or a reply: splicing and then reading is reading and then editing.
///
/// ```text
/// edits  { name len, name, value len or 0xff for none, value }…  command or reply
/// ```
pub fn resp_splice(data: &[u8]) {
    let Some((edits, bytes)) = split_edits(data) else {
        return;
    };
    if let Some((command, bytes)) = whole_command(bytes) {
        if let Some(xadd) = Xadd::of(&command, bytes)
            && let Ok(list) = xadd.editable_fields()
        {
            let after = splice_fields(list, bytes, &edits);
            let (command, after) = whole_command(&after).expect("a command is still one");
            let xadd = Xadd::of(&command, after).expect("an XADD is still one");
            check_fields(list, bytes, xadd.fields(), after, &edits);
        }
        splice_strings(&command, bytes, &edits);
    }
    let Some((reply, bytes)) = whole_reply(bytes) else {
        return;
    };
    let of = |reply: Reply, bytes| StreamReply::read(reply.tokens(bytes));
    let Some(list) = of(reply, bytes).and_then(first_fields) else {
        return;
    };
    let after = splice_fields(&list, bytes, &edits);
    let (reply, after) = whole_reply(&after).expect("a reply is still one");
    let list_after = of(reply, after).and_then(first_fields).expect("entries are still there");
    check_fields(&list, bytes, &list_after, after, &edits);
}

/// What a step took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    len: usize,
    is_first: bool,
    is_last: bool,
    is_held: bool,
}

impl Part {
    fn held(len: usize) -> Self {
        Self { len, is_first: true, is_last: true, is_held: true }
    }
}

/// Decodes `data` at once, byte by byte and in chunks that the data itself chooses.
///
/// How far the last one has come that did not end depends on the chunks, so it is left out.
fn same_in_any_chunks<D: Copy>(
    data: &[u8],
    start: D,
    mut next: impl FnMut(&mut D, &[u8]) -> Result<Option<Part>, Error>,
) {
    let mut walk = |chunk: usize| {
        let mut decoder = start;
        let mut parts: Vec<Part> = Vec::new();
        let (mut consumed, mut arrived) = (0, 0);
        let mut failed = None;
        while arrived < data.len() && failed.is_none() {
            arrived = (arrived + chunk).min(data.len());
            loop {
                let bytes = &data[consumed..arrived];
                match next(&mut decoder, bytes) {
                    Ok(None) => break,
                    Ok(Some(part)) => {
                        assert!(part.len > 0 && part.len <= bytes.len(), "lengths add up");
                        consumed += part.len;
                        match parts.last_mut().filter(|last| !last.is_last) {
                            Some(last) => {
                                assert!(!part.is_first && !part.is_held);
                                last.len += part.len;
                                last.is_last = part.is_last;
                            }
                            None => {
                                assert!(part.is_first);
                                parts.push(part);
                            }
                        }
                    }
                    Err(error) => {
                        assert_eq!(next(&mut decoder, data), Err(error), "an error is final");
                        failed = Some(error);
                        break;
                    }
                }
            }
        }
        parts.retain(|part| part.is_last);
        (parts, failed)
    };
    let at_once = walk(data.len().max(1));
    assert_eq!(walk(1), at_once);
    let chosen = data.first().map_or(1, |&byte| usize::from(byte % 16) + 2);
    assert_eq!(walk(chosen), at_once);
}

fn check_command(command: &Command, bytes: &[u8]) {
    let spelled = command.arguments(bytes).map(|at| {
        assert_eq!(&bytes[at.range().end..][..2], b"\r\n");
        1
    });
    let is_secret = matches!(command.name, Name::Auth | Name::Hello);
    assert_eq!(spelled.sum::<u32>(), if is_secret { 0 } else { command.arguments_len() });
    assert_eq!(Name::of(command.name_at.of(bytes)), command.name);
    if let Some(read) = StreamRead::of(command, bytes) {
        assert_eq!(read.keys.count(), read.ids.count());
    }
    let some = [
        Claim::of(command, bytes).map(|claim| claim.ids),
        Acknowledge::of(command, bytes).map(|ack| ack.ids),
        Push::of(command, bytes).map(|push| push.values),
        Pop::of(command, bytes).map(|pop| pop.keys),
    ];
    for arguments in some.into_iter().flatten() {
        assert_eq!(arguments.count(), arguments.left() as usize);
        assert!(arguments.left() > 0);
    }
    if let Some(script) = Script::of(command, bytes) {
        let len = script.keys.count() + script.arguments.count();
        assert_eq!(len + 2, command.arguments_len() as usize);
    }
    Move::of(command, bytes);
    Hello::of(command, bytes);
    Auth::of(command, bytes);
    Client::of(command, bytes);
}

fn check_reply(reply: &Reply, bytes: &[u8]) {
    let of = || reply.tokens(bytes);
    assert!(of().all(|token| token.at.range().end < bytes.len()));
    let entries = [StreamReply::entries(of()), StreamReply::autoclaimed(of())];
    for entries in entries.into_iter().flatten() {
        assert!(entries.count() <= bytes.len());
    }
    for name in [Name::Lpop, Name::Brpop, Name::Lmpop] {
        let popped = Popped::of(name, of());
        assert!(popped.into_iter().flatten().all(|value| value.range().end < bytes.len()));
    }
    Published::of(of());
}

fn whole_command(bytes: &[u8]) -> Option<(Command, &[u8])> {
    match CommandDecoder::new(RespLimits::default()).next(bytes) {
        Ok(Step::Frame { frame: CommandFrame::Command(command), len }) => {
            Some((command, &bytes[..len]))
        }
        _ => None,
    }
}

fn whole_reply(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    match ReplyDecoder::new(RespLimits::default()).next(bytes, Want::Hold, Want::Hold) {
        Ok(Step::Frame { frame: ReplyFrame::Whole(reply), len }) => Some((reply, &bytes[..len])),
        _ => None,
    }
}

fn first_fields(reply: StreamReply<'_>) -> Option<FieldList> {
    reply.into_iter().find_map(|item| match item {
        StreamItem::Entry(entry) => entry.fields,
        StreamItem::Stream(_) => None,
    })
}

fn splice_fields(list: &FieldList, bytes: &[u8], edits: &[FieldEdit<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
    let result = splicer.fields(list, edits);
    splicer.finish();
    if result != Ok(true) {
        assert_eq!(out, bytes, "{result:?} means the same bytes");
    }
    if edits.is_empty() {
        assert!(matches!(result, Ok(false) | Err(Refusal::OddPairs | Refusal::FieldsMalformed)));
    }
    out
}

/// Puts the first edit's name in front of each argument, which gives the naive command.
fn splice_strings(command: &Command, bytes: &[u8], edits: &[FieldEdit<'_>]) {
    let with = edits.first().map_or(b"x".as_slice(), |edit| edit.name);
    let name = command.name_at.of(bytes);
    let mut naive = format!("*{}\r\n${}\r\n", command.arguments_len() + 1, name.len()).into_bytes();
    naive.extend_from_slice(name);
    let mut out = Vec::new();
    let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
    for at in command.arguments(bytes) {
        let patches = [Patch { at: Default::default(), with }];
        assert_eq!(splicer.string(at, &patches), Ok(true));
        let len = with.len() + at.of(bytes).len();
        naive.extend_from_slice(format!("\r\n${len}\r\n").as_bytes());
        naive.extend_from_slice(with);
        naive.extend_from_slice(at.of(bytes));
    }
    splicer.finish();
    naive.extend_from_slice(b"\r\n");
    if matches!(command.name, Name::Auth | Name::Hello) {
        assert_eq!(out, bytes, "what is secret is not handed out");
    } else {
        assert_eq!(out, naive);
    }
}

type Pair = (Vec<u8>, Vec<u8>);

fn read(list: &FieldList, bytes: &[u8]) -> Option<Vec<Pair>> {
    let mut fields = list.iter(bytes);
    let pairs = fields.by_ref().map(|f| (f.name.of(bytes).to_vec(), f.value.of(bytes).to_vec()));
    let pairs = pairs.collect();
    fields.is_complete().then_some(pairs)
}

fn check_fields(
    before: &FieldList,
    bytes: &[u8],
    after: &FieldList,
    after_bytes: &[u8],
    edits: &[FieldEdit<'_>],
) {
    if after_bytes == bytes {
        return;
    }
    let before = read(before, bytes).expect("what was edited could be read");
    assert_eq!(read(after, after_bytes), Some(edited(before, edits)));
}

/// The same edits in the most naive way.
fn edited(before: Vec<Pair>, edits: &[FieldEdit<'_>]) -> Vec<Pair> {
    let mut after: Vec<Pair> = Vec::new();
    for (name, old) in before {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(&name);
        match edits.iter().find(|edit| same(edit.name)) {
            None => after.push((name, old)),
            Some(FieldEdit { value: Some(new), .. }) if !after.iter().any(|(n, _)| same(n)) => {
                after.push((name, new.to_vec()));
            }
            Some(_) => {}
        }
    }
    for edit in edits {
        let is_there = after.iter().any(|(name, _)| name.eq_ignore_ascii_case(edit.name));
        if let Some(new) = edit.value
            && !is_there
        {
            after.push((edit.name.to_vec(), new.to_vec()));
        }
    }
    after
}

fn split_edits(data: &[u8]) -> Option<(Vec<FieldEdit<'_>>, &[u8])> {
    let (&count, mut rest) = data.split_first()?;
    let mut edits = Vec::new();
    for _ in 0..count % 5 {
        let (&len, behind) = rest.split_first()?;
        let (name, behind) = behind.split_at_checked(len.into())?;
        let (&len, behind) = behind.split_first()?;
        let value = if len == u8::MAX { None } else { Some(behind.get(..len.into())?) };
        rest = &behind[value.map_or(0, <[u8]>::len)..];
        edits.push(FieldEdit { name, value });
    }
    Some((edits, rest))
}
