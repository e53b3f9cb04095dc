//! The contract carries what each broker needs: one file a protocol, against a host in memory.

mod amqp;
mod batch;
mod body;
mod host;
mod jobs;
mod kombu;
mod limits;
mod nats;
mod policy;
mod redis;
mod sampling;
