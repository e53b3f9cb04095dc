//! Traces drawn with characters.
//!
//! ```text
//! trace 4bf92f3577b34da6a3ce929d0e0e4736   2 services, 5 spans, 346.0 ms
//!
//! shop     POST /orders          █                                 12.0 ms
//! shop     └─ publish orders     █                                  1.0 ms
//! …           ├─ wait orders     ░░░░░░░░░░░░░░░░░░               200.0 ms
//! billing     └─ process orders                    █████████████  140.0 ms
//! billing        └─ db.query                          █████        60.0 ms
//! ```
//!
//! All traces share one scale. A wait is drawn with another character than work, and stands under
//! no service: nobody worked. A function from traces to text; what the terminal can do is told.

use std::fmt::Write as _;

use super::trace::{Row, Trace, Traces};

/// Columns when nobody knows better, as terminals have had since they were made of glass.
pub const COLUMNS_DEFAULT: usize = 80;

/// Below this there is no room for names and bars.
pub const COLUMNS_MIN: usize = 60;

/// Above this a bar is too far from its name.
pub const COLUMNS_MAX: usize = 140;

/// Longest name of a service that is shown whole.
const SERVICE_MAX: usize = 16;

/// Longest name of a span, with what indents it, that is shown whole.
const NAME_MAX: usize = 32;

/// `1234.5 ms`, and one column to spare.
const DURATION: usize = 10;

/// Between two columns.
const GAP: &str = "  ";

/// Colours of services, in turn: cyan, yellow, magenta, green.
const COLOURS: [&str; 4] = ["\x1b[36m", "\x1b[33m", "\x1b[35m", "\x1b[32m"];
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its width; taken as between [`COLUMNS_MIN`] and [`COLUMNS_MAX`].
    pub columns: usize,
    /// Whether it shows colours.
    pub colour: bool,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
}

/// Characters that a picture is made of.
struct Signs {
    work: char,
    wait: char,
    branch: &'static str,
    last: &'static str,
    line: &'static str,
    cut: char,
    nobody: &'static str,
}

const UNICODE: Signs =
    Signs {
        work: '█', wait: '░', branch: "├─ ", last: "└─ ", line: "│  ", cut: '…', nobody: "…"
    };

const ASCII: Signs =
    Signs { work: '#', wait: '.', branch: "|- ", last: "`- ", line: "|  ", cut: '~', nobody: ".." };

/// Indents what has nothing beside it; as wide as the signs.
const SPACE: &str = "   ";

/// Where everything stands.
struct Layout {
    service: usize,
    name: usize,
    bar: usize,
    /// The scale: nanoseconds since the Unix epoch.
    start: u64,
    end: u64,
}

/// Draws every trace, and what the characters mean.
pub fn draw(traces: &Traces, style: &Style) -> String {
    let signs = if style.unicode { &UNICODE } else { &ASCII };
    let layout = Layout::of(traces, style, signs);
    let mut services: Vec<&str> = Vec::new();
    let mut text = String::new();
    let mut waits = false;
    for trace in traces.iter() {
        heading(&mut text, trace, style);
        for row in &trace.rows {
            let known = services.iter().position(|service| *service == row.service);
            let number = known.unwrap_or_else(|| {
                services.push(&row.service);
                services.len() - 1
            });
            waits |= row.is_wait;
            line(&mut text, row, number, &layout, style, signs);
        }
        if trace.spans > trace.rows.len() {
            let _ = writeln!(text, "and {} more spans", trace.spans - trace.rows.len());
        }
        text.push('\n');
    }
    if waits {
        let _ = writeln!(text, "{} work   {} queue wait\n", signs.work, signs.wait);
    }
    text
}

impl Layout {
    fn of(traces: &Traces, style: &Style, signs: &Signs) -> Self {
        let rows = || traces.iter().flat_map(|trace| &trace.rows);
        let service = rows().map(|row| row.service.chars().count()).max().unwrap_or(0);
        let name = rows().map(|row| indented(row, signs).chars().count()).max().unwrap_or(0);
        let (service, name) = (service.min(SERVICE_MAX), name.min(NAME_MAX));
        let columns = style.columns.clamp(COLUMNS_MIN, COLUMNS_MAX);
        // Long names on a narrow terminal would leave nothing for the bar; then lines are longer.
        let taken = service + name + DURATION + 2 * GAP.len();
        let bar = columns.saturating_sub(taken).max(COLUMNS_MIN / 4);
        let start = traces.iter().map(|trace| trace.start).min().unwrap_or(0);
        let end = traces.iter().map(|trace| trace.end).max().unwrap_or(0);
        Self { service, name, bar, start, end: end.max(start + 1) }
    }

    /// The first column of a bar and the one behind its last; never the same.
    fn columns(&self, row: &Row) -> (usize, usize) {
        let whole = u128::from(self.end - self.start);
        let columns = |since: u64| u128::from(since) * self.bar as u128;
        // Both are rounded down, so that one bar begins where the one before it ends.
        let at = columns(row.start.saturating_sub(self.start)) / whole;
        let end = columns(row.end.saturating_sub(self.start)) / whole;
        // Both are at most the width of the bar, unless a span ends after its trace.
        let at = (at as usize).min(self.bar - 1);
        (at, (end as usize).clamp(at + 1, self.bar))
    }
}

fn heading(text: &mut String, trace: &Trace, style: &Style) {
    let (on, off) = if style.colour { (BOLD, PLAIN) } else { ("", "") };
    let duration = duration(trace.end.saturating_sub(trace.start), style);
    let services = counted(trace.services.len(), "service");
    let spans = counted(trace.spans, "span");
    let _ = writeln!(text, "{on}trace {}{off}   {services}, {spans}, {duration}\n", trace.id);
}

fn line(
    text: &mut String,
    row: &Row,
    service_number: usize,
    layout: &Layout,
    style: &Style,
    signs: &Signs,
) {
    let (at, end) = layout.columns(row);
    let service = if row.is_wait { signs.nobody } else { &row.service };
    let service = fitted(service, layout.service, signs);
    let name = fitted(&indented(row, signs), layout.name, signs);
    let sign = if row.is_wait { signs.wait } else { signs.work };
    let bar: String = std::iter::repeat_n(sign, end - at).collect();
    let colour = if row.is_wait { DIM } else { COLOURS[service_number % COLOURS.len()] };
    let (on, off) = if style.colour { (colour, PLAIN) } else { ("", "") };
    let (before, after) = (" ".repeat(at), " ".repeat(layout.bar - end));
    let duration = duration(row.end - row.start, style);
    let _ = writeln!(
        text,
        "{service}{GAP}{name}{GAP}{before}{on}{bar}{off}{after}{duration:>DURATION$}"
    );
}

/// The name of a row behind what shows its place in the tree.
fn indented(row: &Row, signs: &Signs) -> String {
    let mut text = String::new();
    if let Some((own, above)) = row.follows.split_last() {
        for follows in above {
            text.push_str(if *follows { signs.line } else { SPACE });
        }
        text.push_str(if *own { signs.branch } else { signs.last });
    }
    // A name comes from elsewhere, and must not talk to the terminal.
    text.extend(row.name.chars().map(|sign| if sign.is_control() { '?' } else { sign }));
    text
}

/// A text with exactly `columns` characters.
fn fitted(text: &str, columns: usize, signs: &Signs) -> String {
    let clean = |sign: char| if sign.is_control() { '?' } else { sign };
    let length = text.chars().count();
    if length <= columns {
        return text.chars().map(clean).chain(std::iter::repeat_n(' ', columns - length)).collect();
    }
    let kept = text.chars().map(clean).take(columns.saturating_sub(1));
    kept.chain(std::iter::once(signs.cut)).collect()
}

/// A time span with a unit that suits it.
fn duration(nanoseconds: u64, style: &Style) -> String {
    const MICROSECOND: f64 = 1e3;
    const MILLISECOND: f64 = 1e6;
    const SECOND: f64 = 1e9;
    let micro = if style.unicode { "µs" } else { "us" };
    match nanoseconds as f64 {
        time if time < 0.1 * MILLISECOND => format!("{:.0} {micro}", time / MICROSECOND),
        time if time < SECOND => format!("{:.1} ms", time / MILLISECOND),
        time => format!("{:.2} s", time / SECOND),
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
