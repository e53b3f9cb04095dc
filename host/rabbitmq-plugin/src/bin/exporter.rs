//! The program that the RabbitMQ plugin starts to export spans.
//!
//! Arguments are names of variables that the plugin's configuration has set. Frames come in on
//! standard input, and go out on standard output; see `frame`.

use std::io;
use std::process::ExitCode;

use spanbridge::env::Env;
use spanbridge_rabbitmq::export::{self, Output};
use spanbridge_rabbitmq::log;
use tracing::error;

fn main() -> ExitCode {
    let output = Output::new(io::stdout());
    log::start(output.clone());
    let strict: Vec<String> = std::env::args().skip(1).collect();
    match export::run(io::stdin().lock(), &output, &Env::from_process(), &strict) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!("{reason}");
            ExitCode::FAILURE
        }
    }
}
