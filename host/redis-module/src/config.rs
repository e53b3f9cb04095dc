//! The settings that are strings: what they are by default, what they were set to, what is shown.
//!
//! ```text
//! OTEL_* ──▶ load arguments ──▶ redis.conf, MODULE LOADEX … CONFIG ──▶ CONFIG SET (patterns only)
//!                     each goes over what stands before it, setting by setting
//! ```
//!
//! A server gives every setting a value when a module is loaded, its default where it was told
//! none. So load arguments are the defaults: `CONFIG REWRITE` leaves out what is as they say, and
//! what it writes counts at the next start, though the arguments are still there.

use spanbridge::env::{Settings, Warning};

use crate::options::Options;
use crate::pattern::{self, Kind, Pattern};
use crate::variable::{self, Values, Variable};

/// Patterns of one module. Each command is compared with all of its kind.
pub(crate) const PATTERNS_MAX: usize = 64;

/// How many settings there are; the first ones are the patterns, by [`Kind::ALL`].
pub(crate) const COUNT: usize = KINDS + Variable::ALL.len();

/// Those that may be set while the server runs.
const KINDS: usize = Kind::ALL.len();

/// All settings that are strings.
#[derive(Debug)]
pub(crate) struct Config {
    defaults: [String; COUNT],
    /// What they were set to; `None`: the default holds.
    told: [Option<String>; COUNT],
    /// Which defaults are a load argument's and not the environment's.
    by_word: [bool; COUNT],
}

/// The name of a setting, without the module's in front.
pub(crate) fn name(at: usize) -> &'static str {
    match Kind::ALL.get(at) {
        Some(kind) => kind.word(),
        None => Variable::ALL.get(at - KINDS).map_or("", |variable| variable.word),
    }
}

/// Answers whether a setting may be set while the server runs.
pub(crate) fn is_changeable(at: usize) -> bool {
    at < KINDS
}

impl Config {
    /// What load arguments and the environment say.
    ///
    /// # Errors
    ///
    /// Names the argument that is wrong, and says what is allowed.
    pub(crate) fn of(options: &Options) -> Result<Self, String> {
        let mut config = Self {
            defaults: Default::default(),
            told: Default::default(),
            by_word: [false; COUNT],
        };
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            let own = options.patterns.iter().filter(|pattern| pattern.kind == kind);
            config.defaults[at] = pattern::text(own);
        }
        let words = options.variables.each_ref().map(Option::as_deref);
        let (settings, _) = variable::settings(&words, process)?;
        for (at, word) in words.into_iter().enumerate() {
            let shown = || variable::in_force(at, &settings);
            config.defaults[KINDS + at] = word.map_or_else(shown, str::to_owned);
            config.by_word[KINDS + at] = word.is_some();
        }
        Ok(config)
    }

    /// What holds where the server was told nothing.
    pub(crate) fn default_of(&self, at: usize) -> &str {
        self.defaults.get(at).map_or("", String::as_str)
    }

    /// What the server shows.
    pub(crate) fn text(&self, at: usize) -> &str {
        let told = self.told.get(at).and_then(Option::as_deref);
        told.unwrap_or_else(|| self.default_of(at))
    }

    /// Takes a value. Patterns are in force when [`Self::patterns`] has been taken from here.
    ///
    /// # Errors
    ///
    /// Names the setting, and says what is allowed. Then nothing has changed.
    pub(crate) fn set(&mut self, at: usize, text: &str) -> Result<(), String> {
        let mut text = text.to_owned();
        if let Some(&kind) = Kind::ALL.get(at) {
            // Shown in one spelling, however it was written.
            text = pattern::text(Pattern::list(kind, &text)?.iter());
        }
        let is_default = text == self.default_of(at);
        if let Some(told) = self.told.get_mut(at) {
            *told = (!is_default).then_some(text);
        }
        Ok(())
    }

    /// All patterns.
    ///
    /// # Errors
    ///
    /// Says how many are allowed.
    pub(crate) fn patterns(&self) -> Result<Vec<Pattern>, String> {
        let mut patterns = Vec::new();
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            patterns.extend(Pattern::list(kind, self.text(at))?);
        }
        let words = || Kind::ALL.map(Kind::word).join(", ");
        match patterns.len() {
            1..=PATTERNS_MAX => Ok(patterns),
            0 => Err(format!("{}: expected a pattern in one of them, found none", words())),
            found => Err(format!(
                "{}: expected at most {PATTERNS_MAX} patterns in all, found {found}",
                words()
            )),
        }
    }

    /// What OpenTelemetry is told, and what was wrong with the environment.
    ///
    /// # Errors
    ///
    /// Names the setting whose value is not allowed, and says what is.
    pub(crate) fn settings(&self) -> Result<(Settings, Vec<Warning>), String> {
        variable::settings(&self.values(), process)
    }

    fn values(&self) -> Values<'_> {
        std::array::from_fn(|at| {
            let at = KINDS + at;
            let word = || self.by_word[at].then(|| self.default_of(at));
            self.told[at].as_deref().or_else(word)
        })
    }
}

fn process(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Config {
        let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
        Config::of(&Options::parse(&words).unwrap()).unwrap()
    }

    fn place(name: &str) -> usize {
        (0..COUNT).find(|&at| super::name(at) == name).unwrap()
    }

    #[test]
    fn what_is_set_goes_over_the_argument_and_the_argument_over_nothing() {
        let mut config = of("streams a streams b service-name shop");
        let (streams, service) = (place("streams"), place("service-name"));
        assert_eq!((config.text(streams), config.text(service)), ("a, b", "shop"));
        // As the server does for whatever stands in no file.
        for at in 0..COUNT {
            let default = config.default_of(at).to_owned();
            config.set(at, &default).unwrap();
        }
        assert_eq!(config.values(), [Some("shop"), None, None, None, None, None]);
        config.set(streams, " c ,d").unwrap();
        config.set(service, "other").unwrap();
        assert_eq!((config.text(streams), config.text(service)), ("c, d", "other"));
        assert_eq!(config.patterns().unwrap().len(), 2);
        assert_eq!(config.settings().unwrap().0.service_name.as_deref(), Some("other"));
        config.set(service, "").unwrap();
        assert_eq!(config.values()[0], Some(""), "nothing goes over an argument as well");
    }

    #[test]
    fn a_wrong_value_leaves_what_was_there() {
        let mut config = of("streams a lists b envelope json");
        let lists = place("lists");
        assert!(config.set(lists, "b").unwrap_err().starts_with("lists: expected `envelope`"));
        assert_eq!(config.text(lists), "b envelope json");
        assert_eq!(config.patterns().unwrap().len(), 2);
    }

    #[test]
    fn patterns_are_some_and_not_too_many() {
        let mut config = of("service-name shop");
        assert!(config.patterns().unwrap_err().ends_with("found none"));
        config.set(place("queues"), &vec!["q"; 60].join(",")).unwrap();
        config.set(place("streams"), "a,b,c,d").unwrap();
        assert_eq!(config.patterns().unwrap().len(), 64);
        config.set(place("streams"), "a,b,c,d,e").unwrap();
        assert!(config.patterns().unwrap_err().ends_with("at most 64 patterns in all, found 65"));
    }

    #[test]
    fn nothing_is_shown_that_nobody_has_set_and_that_depends_on_another_setting() {
        // The server writes into its file what is not as it was registered.
        let mut config = of("streams a");
        config.set(place("protocol"), "grpc").unwrap();
        config.set(place("sampler"), "traceidratio").unwrap();
        for name in ["endpoint", "sampler-arg"] {
            assert_eq!((config.text(place(name)), config.default_of(place(name))), ("", ""));
        }
        let (settings, _) = config.settings().unwrap();
        assert_eq!(variable::endpoint(&settings), "http://localhost:4317/");
    }

    #[test]
    fn only_patterns_may_change_while_the_server_runs() {
        let changeable: Vec<_> = (0..COUNT).filter(|&at| is_changeable(at)).map(name).collect();
        assert_eq!(changeable, ["streams", "lists", "channels", "queues"]);
    }
}
