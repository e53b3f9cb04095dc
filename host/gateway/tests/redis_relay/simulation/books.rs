//! What should come of what passed by the gateway: spans, counters, and what is open still.
//!
//! Told of each command and each answer at the moment when its last byte is read, in that order.

use std::collections::{BTreeMap, VecDeque};

use super::server::{Answer, Delivery};
use crate::expected::Expected;
use crate::harness::CONSUMER;

/// Kind and name of a span.
pub(super) type Publish = (i32, String);

/// What a command means to the gateway.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Other,
    /// It adds these messages.
    Publish(Vec<Publish>),
    /// These entries of a stream and group are done with.
    Acknowledge(&'static str, &'static str, Vec<String>),
    /// These entries of a stream are gone.
    Delete(&'static str, Vec<String>),
    /// A worker is done with the message of this tag, or puts it back.
    Tag(String, &'static str),
    Select(u64),
    /// All commands are answered from here on.
    Answers,
    /// None is.
    NoAnswers,
    /// The next one is not.
    SkipAnswer,
}

/// Which commands are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Mode {
    #[default]
    On,
    Off,
    Skip,
}

/// What is known of one session.
#[derive(Debug, Default)]
pub(super) struct Pages {
    mode: Mode,
    database: u64,
    /// Publishes of commands whose answer is to come.
    waiting: VecDeque<Vec<Publish>>,
    /// Those that are queued for a transaction.
    queued: VecDeque<Vec<Publish>>,
}

/// The account of a process.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) spans: Expected,
    /// Open deliveries and what their spans are called.
    open: BTreeMap<String, String>,
    pub(super) unmatched: u64,
    pub(super) published: u64,
    pub(super) delivered: u64,
    /// Publishes without an answer when their session ended.
    pub(super) unanswered: u64,
}

impl Books {
    /// A command has been read.
    pub(super) fn said(&mut self, pages: &mut Pages, said: Said) {
        let database = pages.database;
        match said {
            Said::NoAnswers => return pages.mode = Mode::Off,
            Said::SkipAnswer if pages.mode == Mode::Off => return,
            Said::SkipAnswer => return pages.mode = Mode::Skip,
            Said::Answers => return pages.mode = Mode::On,
            Said::Publish(messages) => {
                self.published += messages.len() as u64;
                if pages.mode == Mode::On {
                    pages.waiting.push_back(messages);
                } else {
                    self.published(messages, None);
                }
            }
            Said::Acknowledge(stream, group, ids) => {
                for id in ids {
                    let key = format!("{database}/{stream}/{group}/{id}");
                    self.unmatched += u64::from(!self.ended(&key, "ack"));
                }
            }
            Said::Delete(stream, ids) => {
                let (start, ends) = (format!("{database}/{stream}/"), ids);
                let ends: Vec<_> = ends.into_iter().map(|id| format!("/{id}")).collect();
                let is_gone = |key: &&String| {
                    key.starts_with(&start) && ends.iter().any(|it| key.ends_with(it))
                };
                let gone: Vec<_> = self.open.keys().filter(is_gone).cloned().collect();
                gone.iter().for_each(|key| assert!(self.ended(key, "ack")));
            }
            Said::Tag(tag, outcome) => {
                self.ended(&format!("{database}/{tag}"), outcome);
            }
            Said::Select(database) => pages.database = database,
            Said::Other => {}
        }
        if pages.mode == Mode::Skip {
            pages.mode = Mode::On;
        }
    }

    /// An answer has been read.
    pub(super) fn answered(&mut self, pages: &mut Pages, answer: Answer) {
        match answer {
            Answer::Other => {}
            Answer::Published(outcome) => {
                let messages = pages.waiting.pop_front().expect("it was asked for");
                self.published(messages, Some(outcome));
            }
            Answer::Queued => pages.queued.extend(pages.waiting.pop_front()),
            Answer::Executed(answers) => {
                for answer in answers {
                    match answer {
                        Answer::Published(outcome) => {
                            let messages = pages.queued.pop_front().expect("it was queued");
                            self.published(messages, Some(outcome));
                        }
                        answer => self.answered(pages, answer),
                    }
                }
            }
            Answer::Refused | Answer::TakenBack => {
                let outcome = if answer == Answer::Refused { "refused" } else { "unanswered" };
                for messages in std::mem::take(&mut pages.queued) {
                    self.published(messages, Some(outcome));
                }
            }
            Answer::Delivered(deliveries) => {
                self.delivered += deliveries.len() as u64;
                deliveries.into_iter().for_each(|it| self.delivered(it));
            }
        }
    }

    /// A session ends where it is.
    pub(super) fn closed(&mut self, pages: Pages) {
        for messages in pages.waiting.into_iter().chain(pages.queued) {
            self.unanswered += messages.len() as u64;
            self.published(messages, Some("unanswered"));
        }
    }

    /// The process ends.
    pub(super) fn finish(&mut self) {
        for (_, name) in std::mem::take(&mut self.open) {
            self.spans.add(CONSUMER, name, Some("abandoned"));
        }
    }

    fn published(&mut self, messages: Vec<Publish>, outcome: Option<&str>) {
        messages.into_iter().for_each(|(kind, name)| self.spans.add(kind, name, outcome));
    }

    fn delivered(&mut self, delivery: Delivery) {
        let Delivery { name, key, before, outcome } = delivery;
        let name = format!("process {name}");
        let Some(key) = key else { return self.spans.add(CONSUMER, name, outcome) };
        self.ended(&key, before);
        self.open.insert(key, name);
    }

    /// Answers whether it was open.
    fn ended(&mut self, key: &str, outcome: &str) -> bool {
        let name = self.open.remove(key);
        let is_open = name.is_some();
        name.into_iter().for_each(|name| self.spans.add(CONSUMER, name, Some(outcome)));
        is_open
    }
}
