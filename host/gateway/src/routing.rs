//! Which route a message belongs to.
//!
//! ```text
//! once a session     user, vhost, database ──▶ candidates: one bit for each rule
//! for each message   destination ──▶ the first candidate whose pattern matches, else the default
//! ```
//!
//! A table belongs to one listener and never changes; a reload makes another one. Choosing
//! allocates nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use spanbridge::resource::ResourceId;
use spanbridge::{Fields, Route};

use crate::config::{Acks, Databases};
use crate::header_names::HeaderNames;
use crate::measure::{Measures, RouteMeasures};
use crate::scrub::Scrub;
use spanbridge::pattern::Pattern;

/// Routes of a configuration. Each may cost a comparison a message; who needs more wants wildcards.
pub const ROUTES_MAX: usize = 64;

/// How the messages of a route are traced.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The route of the runtime. `None`: its messages are not traced.
    pub route: Option<Route>,
    /// The headers to look for.
    pub fields: Arc<Fields>,
    /// How they are written where there were none.
    pub names: HeaderNames,
    /// Whose publish spans these are. `None`: the client's.
    pub producer: Option<ResourceId>,
    /// Whose consumer spans these are. `None`: the client's.
    pub consumer: Option<ResourceId>,
    /// The component looks at bodies that no header spares.
    pub has_envelope: bool,
    /// Which tokens of a destination are ids.
    pub scrub: Scrub,
    /// How many messages a consumer works on at once. `None`: that is not known.
    pub concurrency: Option<NonZeroU32>,
    /// When AMQP consumers settle.
    pub acks: Acks,
    /// What its messages did. `None`: nobody measures, and nobody does where nothing is traced.
    pub measures: Option<Arc<RouteMeasures>>,
}

impl Traced {
    /// Writes the template of a destination to `space`, if it has ids in it.
    pub fn template<'a>(&self, destination: &[u8], space: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let has_ids = !self.scrub.is_empty() && self.scrub.template(destination, space);
        has_ids.then_some(&**space)
    }

    /// Where a message is counted whose destination has that template.
    pub fn measures(&self, template: Option<&[u8]>) -> Option<Arc<Measures>> {
        self.measures.as_ref().map(|measures| measures.of(template))
    }
}

/// Which messages a route is for.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `None`: every user.
    pub user: Option<String>,
    /// `None`: every virtual host.
    pub vhost: Option<String>,
    /// `None`: every database, and what belongs to none.
    pub database: Option<Databases>,
    /// `None`: every destination.
    pub destination: Option<Pattern>,
    /// How they are traced.
    pub traced: Traced,
}

/// The rules of a listener.
#[derive(Clone, Debug)]
pub struct RouteTable {
    rules: Box<[Rule]>,
    default: Traced,
    has_envelopes: bool,
}

/// The rules that may hold for a session, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Candidates(u64);

const _: () = assert!(ROUTES_MAX <= u64::BITS as usize);

impl RouteTable {
    /// Rules in the order in which they are tried, of which there are at most [`ROUTES_MAX`], and
    /// what holds where none of them does.
    pub fn new(rules: Vec<Rule>, default: Traced) -> Self {
        debug_assert!(rules.len() <= ROUTES_MAX, "the configuration bounds them");
        let all = rules.iter().map(|rule| &rule.traced).chain([&default]);
        let has_envelopes = all.into_iter().any(|traced| traced.has_envelope);
        Self { rules: rules.into(), default, has_envelopes }
    }

    /// Answers whether any body is looked at.
    pub fn has_envelopes(&self) -> bool {
        self.has_envelopes
    }

    /// The rules for a client that says it is this user, opens this virtual host, and has selected
    /// this database.
    pub fn candidates(
        &self,
        user: Option<&str>,
        vhost: Option<&str>,
        database: Option<u64>,
    ) -> Candidates {
        let is = |asked: &Option<String>, said| asked.is_none() || asked.as_deref() == said;
        let is_in = |asked: &Option<Databases>| {
            asked.as_ref().is_none_or(|asked| database.is_some_and(|it| asked.contain(it)))
        };
        let fits =
            |rule: &Rule| is(&rule.user, user) && is(&rule.vhost, vhost) && is_in(&rule.database);
        let bits = (0..u64::BITS).zip(&self.rules).filter(|(_, rule)| fits(rule));
        Candidates(bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// The route of a message, whose destination may have several names. It is kept for
    /// [`Self::get`], which costs nothing.
    pub fn choose(&self, candidates: Candidates, names: &[&[u8]]) -> Choice {
        let fits = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
        let mut left = candidates.0;
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            let pattern = self.rules.get(at).map(|rule| &rule.destination);
            match pattern {
                Some(None) => return Choice(at as u8),
                Some(Some(pattern)) if fits(pattern) => return Choice(at as u8),
                _ => {}
            }
        }
        Choice::DEFAULT
    }

    /// How a chosen route's messages are traced.
    pub fn get(&self, choice: Choice) -> &Traced {
        self.rules.get(usize::from(choice.0)).map_or(&self.default, |rule| &rule.traced)
    }
}

/// A route of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(u8);

impl Choice {
    /// What holds where no rule does: a number that no rule has.
    const DEFAULT: Self = Self(u8::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, HeaderCase};

    fn traced() -> Traced {
        let fields = Arc::<Fields>::default();
        let names = HeaderNames::new(&fields, HeaderCase::Lower);
        Traced {
            route: None,
            fields,
            names,
            producer: None,
            consumer: None,
            has_envelope: false,
            scrub: Scrub::empty(),
            concurrency: None,
            acks: Acks::default(),
            measures: None,
        }
    }

    fn table(rules: &[(Option<&str>, Option<&str>)]) -> RouteTable {
        let rule = |(user, destination): &(Option<&str>, Option<&str>)| Rule {
            user: user.map(str::to_owned),
            vhost: None,
            database: None,
            destination: destination.map(|text| Pattern::parse(text).unwrap()),
            traced: traced(),
        };
        RouteTable::new(rules.iter().map(rule).collect(), traced())
    }

    #[test]
    fn the_first_rule_whose_conditions_all_hold_is_chosen() {
        let table = table(&[
            (Some("app"), Some("orders.>")),
            (None, Some("orders.new")),
            (Some("root"), None),
            (None, Some("*.new")),
        ]);
        for (user, destination, expected) in [
            (Some("app"), "orders.new", Some(0)),
            (Some("app"), "orders.old", Some(0)),
            (Some("else"), "orders.new", Some(1)),
            (None, "orders.new", Some(1)),
            (Some("root"), "orders.new", Some(1)),
            (Some("root"), "anything", Some(2)),
            (None, "bills.new", Some(3)),
            (None, "orders.old", None),
            (Some("apps"), "orders.old", None),
        ] {
            let choice =
                table.choose(table.candidates(user, None, None), &[destination.as_bytes()]);
            let expected = expected.map_or(Choice::DEFAULT, Choice);
            assert_eq!(choice, expected, "{user:?} {destination}");
        }
    }

    #[test]
    fn the_last_of_as_many_rules_as_there_may_be_is_found() {
        let mut rules = vec![(None, Some("x")); ROUTES_MAX - 1];
        rules.push((None, Some("y")));
        let table = table(&rules);
        let all = table.candidates(None, None, None);
        assert_eq!(table.choose(all, &[b"y"]), Choice(ROUTES_MAX as u8 - 1));
        assert_eq!(table.choose(all, &[b"z", b"y"]), Choice(ROUTES_MAX as u8 - 1));
        assert_eq!(table.choose(all, &[b"z"]), Choice::DEFAULT);
        assert_eq!(table.choose(Candidates::default(), &[b"y"]), Choice::DEFAULT);
    }

    #[test]
    fn a_rule_for_a_virtual_host_holds_for_no_other_and_for_nobody_without_one() {
        let mut table = table(&[(Some("app"), None)]);
        table.rules[0].vhost = Some("/".to_owned());
        let chosen = |user, vhost| {
            table.choose(table.candidates(user, vhost, None), &[b"x"]) != Choice::DEFAULT
        };
        assert!(chosen(Some("app"), Some("/")));
        assert!(!chosen(Some("app"), Some("a")) && !chosen(Some("app"), None));
        assert!(!chosen(None, Some("/")));
    }

    #[test]
    fn a_rule_for_databases_holds_for_no_other_and_for_nothing_outside_of_databases() {
        let mut table = table(&[(None, None)]);
        let text = "[[listener]]\nlisten = \"redis://h\"\nbrokers = [\"redis://b\"]\n\
                    [[route]]\ndatabase = [1, 5]\n";
        table.rules[0].database = Config::parse(text).unwrap().routes[0].database.clone();
        let chosen = |database| {
            table.choose(table.candidates(None, None, database), &[b"x"]) != Choice::DEFAULT
        };
        assert!(chosen(Some(1)) && chosen(Some(5)));
        assert!(!chosen(Some(0)) && !chosen(Some(15)) && !chosen(None));
    }
}
