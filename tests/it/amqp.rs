//! RabbitMQ through the gateway: untouched clients, a real broker, spans at a foreign receiver.

mod broker;
