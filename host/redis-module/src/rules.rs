//! Which rule a destination belongs to, and what its messages have in common.

use std::sync::Arc;

use spanbridge::{Envelope, Fields, Route, RouteSettings, Runtime, env};

use crate::glob::Glob;
use crate::pattern::{Kind, Pattern};

/// What stands between a list's name and a priority: kombu's lists of one queue.
const PRIORITY: &[u8] = b"\x06\x16";

/// Messages of the destinations of one pattern.
#[derive(Debug)]
pub(crate) struct Rule {
    kind: Kind,
    names: Glob,
    pub route: Route,
    pub fields: Arc<Fields>,
}

/// The rules, the first that matches counts.
#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    /// Opens a route for each pattern.
    ///
    /// # Errors
    ///
    /// Says which setting the component refuses. Then none is open.
    pub(crate) fn open(
        patterns: &[Pattern],
        runtime: &Runtime,
        env: &env::Settings,
    ) -> Result<Self, String> {
        let mut rules = Self(Vec::with_capacity(patterns.len()));
        for pattern in patterns {
            match runtime.open_route(settings(env, pattern.envelope.clone())) {
                Ok(route) => rules.0.push(Rule {
                    kind: pattern.kind,
                    names: pattern.names.clone(),
                    route,
                    fields: runtime.fields(route),
                }),
                Err(error) => {
                    rules.close(runtime);
                    return Err(format!("{}: `{pattern}`: {error}", pattern.kind.word()));
                }
            }
        }
        Ok(rules)
    }

    /// Closes every route.
    pub(crate) fn close(self, runtime: &Runtime) {
        self.0.iter().for_each(|rule| runtime.close_route(rule.route));
    }

    /// Answers whether there is a rule of a kind.
    pub(crate) fn have(&self, kind: Kind) -> bool {
        self.0.iter().any(|rule| rule.kind == kind)
    }

    /// The rule of a destination. `None`: its messages are not looked at.
    pub(crate) fn find(&self, kind: Kind, name: &[u8]) -> Option<&Rule> {
        let rule = self.0.iter().find(|rule| rule.kind == kind && rule.names.matches(name))?;
        (!is_control(name)).then_some(rule)
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
