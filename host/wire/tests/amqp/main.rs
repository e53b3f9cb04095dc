//! Laws of the AMQP codec, and an oracle: what `amq-protocol`, a codec for clients written by
//! others, makes of the same bytes.

mod decode;
mod generate;
mod hostile;
mod methods;
mod oracle;
mod raw;
mod rewrite;
mod same;
mod sessions;
mod walk;
