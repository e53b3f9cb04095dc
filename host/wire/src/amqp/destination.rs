//! What a destination is called, and which destinations carry no work.
//!
//! | | name |
//! |---|---|
//! | publish | `exchange:routing key`, or the one that is not empty, else `amq.default` |
//! | delivery | the same with `:queue`, unless the routing key is the queue |
//!
//! (RabbitMQ page of the semantic conventions, `messaging.destination.name`.)
//!
//! Answers, remote control and events are not work. They make no spans:
//!
//! | exchange | routing key | what it is |
//! |---|---|---|
//! | default | `amq.gen-…` | an answer to a queue that the broker has named |
//! | default | `amq.rabbitmq.reply-to…` | an answer without a queue |
//! | `celeryev` | any | events of Celery workers |
//! | `….pidbox` | any | remote control of Celery workers, and its answers |

/// Where neither exchange nor routing key says anything.
const DEFAULT: &[u8] = b"amq.default";

/// Queues that the broker has named.
const SERVER_NAMED: &[u8] = b"amq.gen-";

/// The pseudo-queue of answers without a queue, and the addresses behind it.
const REPLY_TO: &[u8] = b"amq.rabbitmq.reply-to";

/// Every message published to it goes to every queue that is bound.
pub const FANOUT: &[u8] = b"amq.fanout";

/// Writes the name of a publish's destination.
pub fn of_publish(exchange: &[u8], routing_key: &[u8], name: &mut Vec<u8>) {
    name.clear();
    for part in [exchange, routing_key] {
        push(name, part);
    }
    if name.is_empty() {
        name.extend_from_slice(DEFAULT);
    }
}

/// Writes the name of a delivery's destination. Answers how much of it is the publish's.
pub fn of_delivery(exchange: &[u8], routing_key: &[u8], queue: &[u8], name: &mut Vec<u8>) -> usize {
    of_publish(exchange, routing_key, name);
    let publish = name.len();
    if exchange.is_empty() && routing_key.is_empty() && !queue.is_empty() {
        name.clear();
    }
    if queue != routing_key {
        push(name, queue);
    }
    publish.min(name.len())
}

fn push(name: &mut Vec<u8>, part: &[u8]) {
    if part.is_empty() {
        return;
    }
    if !name.is_empty() {
        name.push(b':');
    }
    name.extend_from_slice(part);
}

/// Answers whether the broker has named a queue.
pub fn is_server_named(queue: &[u8]) -> bool {
    queue.starts_with(SERVER_NAMED)
}

/// Answers whether a message is none that carries work.
pub fn is_control(exchange: &[u8], routing_key: &[u8]) -> bool {
    if exchange.is_empty() {
        return is_server_named(routing_key) || routing_key.starts_with(REPLY_TO);
    }
    exchange == b"celeryev" || exchange.ends_with(b".pidbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_conventions() {
        for (exchange, key, queue, publish, delivery) in [
            ("orders", "eu.paid", "billing", "orders:eu.paid", "orders:eu.paid:billing"),
            ("orders", "billing", "billing", "orders:billing", "orders:billing"),
            ("logs", "", "audit", "logs", "logs:audit"),
            ("logs", "", "", "logs", "logs"),
            ("", "tasks", "tasks", "tasks", "tasks"),
            ("", "tasks", "", "tasks", "tasks"),
            ("", "tasks", "other", "tasks", "tasks:other"),
            ("", "", "", "amq.default", "amq.default"),
            ("", "", "queue", "amq.default", "queue"),
        ] {
            let mut name = Vec::new();
            of_publish(exchange.as_bytes(), key.as_bytes(), &mut name);
            assert_eq!(name, publish.as_bytes());
            let [exchange, key, queue] = [exchange, key, queue].map(str::as_bytes);
            let of = of_delivery(exchange, key, queue, &mut name);
            assert_eq!(name, delivery.as_bytes());
            assert!(delivery == "queue" || name[..of] == *publish.as_bytes());
        }
    }

    #[test]
    fn control_traffic_is_known_by_its_names_and_its_neighbours_are_work() {
        for (exchange, key, expected) in [
            ("", "amq.gen-abc", true),
            ("logs", "amq.gen-abc", false),
            ("", "amq.rabbitmq.reply-to", true),
            ("", "amq.rabbitmq.reply-to.g1h2", true),
            ("celeryev", "worker.heartbeat", true),
            ("celeryevents", "worker.heartbeat", false),
            ("celery.pidbox", "", true),
            ("reply.celery.pidbox", "x", true),
            ("", "celery", false),
            ("celery", "celery", false),
            ("", "", false),
        ] {
            let found = is_control(exchange.as_bytes(), key.as_bytes());
            assert_eq!(found, expected, "{exchange} {key}");
        }
    }
}
