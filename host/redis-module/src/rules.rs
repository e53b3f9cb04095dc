//! Which rule a destination belongs to, and what its messages have in common.

use std::sync::Arc;

use spanbridge::{Envelope, Fields, Route, RouteSettings, Runtime, env};

use crate::pattern::{Kind, Pattern};

/// What stands between a list's name and a priority: kombu's lists of one queue.
const PRIORITY: &[u8] = b"\x06\x16";

/// Messages of the destinations of one pattern.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pattern: Pattern,
    pub route: Route,
    pub fields: Arc<Fields>,
}

/// The rules, the first that matches counts. Each pattern has one route.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    /// Exchanges the patterns. Only what is new is opened, as that takes the component a while.
    ///
    /// # Errors
    ///
    /// Says which setting the component refuses. Then the rules are what they were.
    pub(crate) fn change(
        &mut self,
        patterns: &[Pattern],
        runtime: &Runtime,
        env: &env::Settings,
    ) -> Result<(), String> {
        let mut now = Self(Vec::with_capacity(patterns.len()));
        for pattern in patterns {
            let rule = match self.of(pattern).or_else(|| now.of(pattern)) {
                Some(rule) => Ok(rule.clone()),
                None => Rule::open(pattern, runtime, env),
            };
            match rule {
                Ok(rule) => now.0.push(rule),
                Err(error) => {
                    now.close_without(self, runtime);
                    return Err(error);
                }
            }
        }
        std::mem::replace(self, now).close_without(self, runtime);
        Ok(())
    }

    /// Closes the routes that others do not have.
    fn close_without(self, others: &Self, runtime: &Runtime) {
        for (at, rule) in self.0.iter().enumerate() {
            let again = self.0[..at].iter().any(|before| before.pattern == rule.pattern);
            if !again && others.of(&rule.pattern).is_none() {
                runtime.close_route(rule.route);
            }
        }
    }

    fn of(&self, pattern: &Pattern) -> Option<&Rule> {
        self.0.iter().find(|rule| rule.pattern == *pattern)
    }

    /// Answers whether there is a rule of a kind.
    pub(crate) fn have(&self, kind: Kind) -> bool {
        self.0.iter().any(|rule| rule.pattern.kind == kind)
    }

    /// The rule of a destination. `None`: its messages are not looked at.
    pub(crate) fn find(&self, kind: Kind, name: &[u8]) -> Option<&Rule> {
        let fits = |rule: &&Rule| rule.pattern.kind == kind && rule.pattern.names.matches(name);
        let rule = self.0.iter().find(fits)?;
        (!is_control(name)).then_some(rule)
    }
}

impl Rule {
    fn open(pattern: &Pattern, runtime: &Runtime, env: &env::Settings) -> Result<Self, String> {
        let route = runtime
            .open_route(settings(env, pattern.envelope.clone()))
            .map_err(|error| format!("{}: `{pattern}`: {error}", pattern.kind.word()))?;
        Ok(Self { pattern: pattern.clone(), route, fields: runtime.fields(route) })
    }
}

/// The queue that a list is one of several of.
pub(crate) fn queue(list: &[u8]) -> &[u8] {
    let at = list.windows(PRIORITY.len()).position(|it| it == PRIORITY);
    at.and_then(|at| list.get(..at)).unwrap_or(list)
}

/// Answers whether a destination carries no work, whatever a pattern says: events of BullMQ, and
/// remote control of Celery's workers.
fn is_control(name: &[u8]) -> bool {
    let is_events = name.starts_with(b"bull:") && name.ends_with(b":events");
    is_events || name.ends_with(b".pidbox") || name.starts_with(b"celeryev") || {
        // Channels of kombu have the database in front: `/0.celeryev/worker.heartbeat`.
        name.starts_with(b"/") && name.windows(9).any(|it| it == b".celeryev")
    }
}

fn settings(env: &env::Settings, envelope: Option<Envelope>) -> RouteSettings {
    RouteSettings {
        propagators: env.propagators.clone(),
        sampler: env.sampler.root,
        parent_based: env.sampler.parent_based,
        old_names: env.semconv_dup,
        envelope,
        attribute_value_length_max: env.limits.attribute_value_length.unwrap_or(0),
        attribute_count_max: env.limits.attributes,
        link_count_max: env.limits.links,
        ..RouteSettings::new("redis")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_no_work_is_left_alone() {
        for name in ["bull:mail:events", "x.reply.celery.pidbox", "celeryev.7d", "/0.celeryev/a.b"]
        {
            assert!(is_control(name.as_bytes()), "{name}");
        }
        for name in ["bull:mail", "orders:events", "celery", "pidbox.tasks", "/0.news"] {
            assert!(!is_control(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn lists_of_one_queue_have_its_name() {
        assert_eq!(queue(b"celery\x06\x163"), b"celery");
        assert_eq!((queue(b"celery"), queue(b"")), (&b"celery"[..], &b""[..]));
    }
}
