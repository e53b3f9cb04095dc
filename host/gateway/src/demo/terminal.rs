//! What standard output can show.

use std::env;
use std::io::{self, IsTerminal};

use super::waterfall::{COLUMNS_DEFAULT, Style};

/// Variables that name the character set, in the order in which they count.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// What is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terminal {
    /// `None`: it is no terminal, or does not say.
    columns: Option<usize>,
    is_terminal: bool,
    /// `NO_COLOR` is set, or `TERM` is `dumb`.
    no_colour: bool,
    /// The first locale variable that is set.
    locale: String,
}

impl Terminal {
    /// Asks the system about standard output.
    pub(super) fn of_stdout() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            columns: terminal_size::terminal_size().map(|(width, _)| width.0.into()),
            is_terminal: io::stdout().is_terminal(),
            no_colour: set("NO_COLOR").is_some() || set("TERM").as_deref() == Some("dumb"),
            locale: LOCALE.into_iter().find_map(set).unwrap_or_default(),
        }
    }

    /// How to draw for it. A file or a pipe is 80 columns wide and has no colours.
    pub(super) fn style(&self) -> Style {
        let locale = self.locale.to_ascii_lowercase();
        Style {
            columns: self.columns.filter(|_| self.is_terminal).unwrap_or(COLUMNS_DEFAULT),
            colour: self.is_terminal && !self.no_colour,
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        for (is_terminal, no_colour, colour) in
            [(true, false, true), (true, true, false), (false, false, false), (false, true, false)]
        {
            let terminal = Terminal { is_terminal, no_colour, ..Terminal::default() };
            assert_eq!(terminal.style().colour, colour, "{terminal:?}");
        }
    }

    #[test]
    fn a_locale_in_utf_8_gets_more_than_ascii() {
        for (locale, unicode) in [
            ("en_GB.UTF-8", true),
            ("C.utf8", true),
            ("", false),
            ("C", false),
            ("de_DE.ISO-8859-1", false),
        ] {
            let terminal = Terminal { locale: locale.to_owned(), ..Terminal::default() };
            assert_eq!(terminal.style().unicode, unicode, "{locale}");
        }
    }

    #[test]
    fn a_pipe_is_as_wide_as_ever() {
        let wide = Terminal { columns: Some(200), is_terminal: true, ..Terminal::default() };
        assert_eq!(wide.style().columns, 200);
        let pipe = Terminal { is_terminal: false, ..wide };
        assert_eq!(pipe.style().columns, COLUMNS_DEFAULT);
    }
}
