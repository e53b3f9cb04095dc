//! Jobs of BullMQ on their way into a queue, of routes that have an envelope.
//!
//! ```text
//! EVALSHA hash 9 keys…  array  data  map
//!                       └─┬─┘        └┬┘
//!                         └─── body ──┘   edits lie in the map
//! ```
//!
//! | the reply | outcome |
//! |---|---|
//! | the job's id | confirmed |
//! | a number below zero: the parent of the job is not there | refused |
//! | `NOSCRIPT` | no span: the script did not run, and the client sends it again with its text |
//! | another error | refused |

use spanbridge::{MessageBits, Publish, SpanContext};
use spanbridge_wire::resp::{Command, Name};

use super::limits::KEYS_KEPT_MAX;
use super::replies::Awaited;
use super::scripts::{Act, JobScript, is_script};
use super::splice::{MarkedPublish, Place};
use super::state::{Call, Found, State};
use crate::relay::bodies::Wish;
use crate::relay::{Tools, add_template};
use crate::routing::Choice;

impl State {
    /// The script of a job, and its route. `None`: it is not looked at.
    fn job_script<'a>(
        &self,
        command: &Command,
        bytes: &'a [u8],
    ) -> Option<(JobScript<'a>, Choice)> {
        let script = JobScript::of(command, bytes)?;
        self.job_route(self.database, script.base).map(|choice| (script, choice))
    }

    /// The route of a queue's jobs. `None`: they are not looked at.
    pub(super) fn job_route(&self, database: u64, base: &[u8]) -> Option<Choice> {
        let choice = self.routes.choose_in(database, &[super::scripts::queue(base), base]);
        let traced = self.routes.get(choice);
        (traced.route.is_some() && traced.has_envelope).then_some(choice)
    }

    /// Answers whether a script is read once the jobs before it have been written.
    pub(super) fn script_waits(&self, command: &Command, bytes: &[u8], call: &Call<'_>) -> bool {
        let messages = call.tools.publish.len();
        if messages == 0 || !is_script(command.name) {
            return false;
        }
        let Some((script, _)) = self.job_script(command, bytes) else { return false };
        let Act::Create { head, options, .. } = script.act else { return false };
        let length = (head.len() as usize).saturating_add(options.len() as usize);
        let counters = &call.tools.counters;
        call.tools.publish.is_full() || self.bodies.wish(length, messages, counters) == Wish::Waits
    }

    /// A client runs a script.
    pub(super) fn script(&mut self, command: &Command, found: Found<'_>, call: &mut Call<'_>) {
        let Some((script, choice)) = self.job_script(command, found.bytes) else {
            self.expect(Awaited::Plain(1));
            return;
        };
        match script.act {
            Act::Create { .. } => self.create(command.name, (&script, choice), found, call),
            Act::CreateOther => {
                call.tools.counters.bodies_left_alone.content.add(1);
                self.expect(Awaited::Plain(1));
            }
            Act::Take => self.expect_job(script.base, None, call),
            Act::End(end) => self.expect_job(script.base, Some(&end), call),
        }
    }

    fn create(
        &mut self,
        command: Name,
        (script, choice): (&JobScript<'_>, Choice),
        found: Found<'_>,
        call: &mut Call<'_>,
    ) {
        let Act::Create { head, data, options } = script.act else { return };
        let number = self.expect_pushed(command, 1, call);
        let Self { routes, resource, published, bodies, scratch, .. } = self;
        let (queue, traced) = (script.queue(), routes.get(choice));
        let Some(route) = traced.route else { return };
        let Tools { publish, template, counters, .. } = &mut *call.tools;
        let length = (head.len() as usize).saturating_add(options.len() as usize);
        scratch.clear();
        if bodies.wish(length, publish.len(), counters) == Wish::Read {
            scratch.extend_from_slice(head.of(found.bytes));
            scratch.extend_from_slice(options.of(found.bytes));
        }
        let template = traced.template(queue, template);
        let mut parts = publish.add(&Publish {
            route,
            bits: MessageBits::NO_HEADERS,
            resource: traced.producer.unwrap_or(*resource),
            destination: queue,
            id: b"",
            body: scratch,
            body_size: data.len().into(),
            start: call.now,
            end: if number.is_some() { 0 } else { call.now },
            parent: SpanContext::default(),
        });
        bodies.hand_in(scratch);
        add_template(&mut parts, template);
        let index = parts.index();
        drop(parts);
        let place = Place::Behind { at: options, before: head.len() };
        published.push(MarkedPublish {
            range: found.range(),
            place: if scratch.is_empty() { Place::Kept } else { place },
            index,
            choice,
            measures: traced.measures(template),
            number,
            part: 0,
        });
        scratch.clear();
        scratch.shrink_to(KEYS_KEPT_MAX);
    }
}
