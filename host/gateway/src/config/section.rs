//! Tables of the configuration file: their keys, how they are read, and what is said about them.
//!
//! ```text
//! section! { struct … { /// meaning   key: type = default; } }
//!      │ reads      a table of the file into the struct
//!      │ refuses    what it does not know, and names the nearest key
//!      └ describes  each key, for the reference page
//! ```
//!
//! One list is the struct, the reader and the page, so none of them can lag behind the others. A
//! problem says where in the file it is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;

/// A value as it stands in the file.
pub(crate) type Found<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// Something in the file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Bytes of the file.
    pub(crate) at: Range<usize>,
    /// The key, what was found, what is allowed.
    pub(crate) what: String,
}

impl Problem {
    pub(crate) fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    /// The problem with where it is: `line 3, column 5: …`.
    pub(crate) fn place(&self, text: &str) -> String {
        let before = text.get(..self.at.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}: {}", self.what)
    }
}

/// A type of values.
pub(crate) trait Value: Sized {
    /// What it is called, such as `integer`.
    fn kind() -> &'static str;

    /// What of it is allowed, such as `1 to 256`; empty: everything.
    fn allowed() -> String;

    /// Reads a value. The error says what is expected and what was found.
    fn read(found: Found<'_, '_>) -> Result<Self, String>;
}

/// A key of a table, for the reference page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) allowed: String,
    /// As it would be written; empty: there is none.
    pub(crate) default: &'static str,
    /// A reload takes it over.
    pub(crate) live: bool,
    pub(crate) meaning: String,
}

/// A struct that `section!` made.
pub(crate) trait Section: Sized {
    /// Its keys, in the order of the page.
    fn keys() -> Vec<Key>;

    /// Takes its keys from a table.
    fn take(table: &mut Table<'_, '_>) -> Result<Self, Problem>;
}

/// A table that is being read.
#[derive(Debug)]
pub(crate) struct Table<'a, 'i> {
    /// What it is called in messages, such as `[[route]] 2`; empty at the top.
    title: String,
    entries: &'a DeTable<'i>,
    /// Every key that was asked for.
    known: Vec<&'static str>,
}

impl<'a, 'i> Table<'a, 'i> {
    pub(crate) fn new(title: impl Into<String>, entries: &'a DeTable<'i>) -> Self {
        Self { title: title.into(), entries, known: Vec::new() }
    }

    /// The value of a key as it stands there.
    pub(crate) fn find(&mut self, key: &'static str) -> Option<Found<'a, 'i>> {
        self.known.push(key);
        self.entries.get(key)
    }

    /// Takes a key that may be absent.
    pub(crate) fn take<T: Value>(&mut self, key: &'static str) -> Result<Option<T>, Problem> {
        let Some(found) = self.find(key) else { return Ok(None) };
        T::read(found)
            .map(Some)
            .map_err(|what| Problem::new(found.span(), self.about(&format!("{key}: {what}"))))
    }

    /// Takes a table inside this one.
    pub(crate) fn table(&mut self, key: &'static str) -> Result<Option<Self>, Problem> {
        let Some(found) = self.find(key) else { return Ok(None) };
        let title = match self.title.is_empty() {
            true => format!("[{key}]"),
            false => format!("{} {key}", self.title),
        };
        match found.get_ref().as_table() {
            Some(entries) => Ok(Some(Self::new(title, entries))),
            None => Err(Problem::new(
                found.span(),
                self.about(&format!("{key}: expected a table, found {}", show(found))),
            )),
        }
    }

    /// Takes the tables of an array, such as `[[route]]`, with the place of each.
    pub(crate) fn tables(
        &mut self,
        key: &'static str,
        count_max: usize,
    ) -> Result<Vec<(Range<usize>, Self)>, Problem> {
        let Some(found) = self.find(key) else { return Ok(Vec::new()) };
        let problem = |at, what: String| Err(Problem::new(at, what));
        let DeValue::Array(array) = found.get_ref() else {
            return problem(found.span(), format!("{key}: expected [[{key}]] tables"));
        };
        if array.len() > count_max {
            let count = array.len();
            let what = format!("[[{key}]]: expected at most {count_max}, found {count}");
            return problem(found.span(), what);
        }
        let mut tables = Vec::new();
        for (number, entry) in (1..).zip(array.iter()) {
            match entry.get_ref().as_table() {
                Some(entries) => {
                    let title = format!("[[{key}]] {number}");
                    tables.push((entry.span(), Self::new(title, entries)));
                }
                None => return problem(entry.span(), format!("{key}: expected a table")),
            }
        }
        Ok(tables)
    }

    /// Refuses every key that nobody has asked for.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let unknown = self.entries.iter().find(|(key, _)| !self.known.contains(&&**key.get_ref()));
        let Some((key, _)) = unknown else { return Ok(()) };
        let name = key.get_ref();
        let hint = match nearest(name, &self.known) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known: {}", self.known.join(", ")),
        };
        let place = match self.title.is_empty() {
            true => String::new(),
            false => format!(" in {}", self.title),
        };
        Err(Problem::new(key.span(), format!("unknown key `{name}`{place}; {hint}")))
    }

    /// The text with the table's name before it.
    pub(crate) fn about(&self, what: &str) -> String {
        match self.title.is_empty() {
            true => what.to_owned(),
            false => format!("{}: {what}", self.title),
        }
    }
}

/// A value as a message shows it.
pub(crate) fn show(found: Found<'_, '_>) -> String {
    match found.get_ref() {
        DeValue::String(text) => format!("`{text}`"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Defines a table of the file: a struct of options, each `None` where the file does not say it.
///
/// A key that a reload takes over says `live` in front of its name.
macro_rules! section {
    (@live live) => { true };
    (@live) => { false };
    (
        $(#[$about:meta])*
        $vis:vis struct $Name:ident {
            $(
                $(#[doc = $help:literal])+
                $($live:ident)? [$field:ident]: $Type:ty = $default:literal;
            )+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $vis struct $Name { $( $(#[doc = $help])+ pub $field: Option<$Type>, )+ }

        impl $crate::config::section::Section for $Name {
            fn keys() -> Vec<$crate::config::section::Key> {
                vec![ $( $crate::config::section::Key {
                    name: stringify!($field),
                    kind: <$Type as $crate::config::section::Value>::kind(),
                    allowed: <$Type as $crate::config::section::Value>::allowed(),
                    default: $default,
                    live: section!(@live $($live)?),
                    meaning: concat!($($help),+).trim().to_owned(),
                } ),+ ]
            }

            fn take(
                table: &mut $crate::config::section::Table<'_, '_>,
            ) -> Result<Self, $crate::config::section::Problem> {
                Ok(Self { $( $field: table.take(stringify!($field))? ),+ })
            }
        }

        impl $Name {
            /// These options, and those of `base` where these say nothing.
            #[allow(dead_code, reason = "not every table has another behind it")]
            pub(crate) fn or(&self, base: &Self) -> Self {
                Self { $( $field: self.$field.clone().or_else(|| base.$field.clone()) ),+ }
            }
        }
    };
}

pub(crate) use section;
