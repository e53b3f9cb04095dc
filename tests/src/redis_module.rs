//! A redis-server or valkey-server with the module in it, and the spans that it exports.

use anyhow::{Context, Result};

use crate::receiver::{Receiver, Tap};
use crate::redis_client::RedisClient;
use crate::redis_server::{Make, RedisServer};
use crate::span::Span;
use crate::wait::BOUND;
use crate::{eventually, tool};

/// A server with the module, and its tap at the shared receiver.
#[derive(Debug)]
pub struct RedisModule {
    /// The server.
    pub server: RedisServer,
    /// Where its spans come out.
    pub tap: Tap,
}

/// What a server with the module is started with.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Whose server.
    pub make: Make,
    /// The component in the module, by its name.
    pub component: &'a str,
    /// Arguments of the module.
    pub words: &'a str,
    /// Lines of the server's configuration. Where there are any, the module is loaded there.
    pub lines: &'a str,
    /// Further arguments of the server.
    pub arguments: &'a [&'a str],
    /// Further variables of its environment.
    pub variables: &'a [(&'a str, &'a str)],
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            make: Make::Redis,
            component: "default",
            words: "",
            lines: "",
            arguments: &[],
            variables: &[],
        }
    }
}

impl RedisModule {
    /// Starts a server that loads the module; `None` when a tool is missing and may be.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(setup: &Setup<'_>) -> Result<Option<Self>> {
        let Setup { make, component, words, lines, arguments, variables } = *setup;
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(module) = tool::redis_module(component)? else { return Ok(None) };
        let module = module.to_str().context("a path in UTF-8")?;
        let (mut file, mut all) = (String::new(), Vec::new());
        if lines.is_empty() {
            all.extend(["--loadmodule", module]);
            all.extend(words.split_whitespace());
        } else {
            file = format!("loadmodule {module} {words}\n{lines}\n");
        }
        all.extend_from_slice(arguments);
        let tap = receiver.tap();
        let mut environment = tap.http();
        environment.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "100".to_owned()));
        let more = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        environment.extend(more);
        let server = RedisServer::start_of(make, &file, &all, &environment)?;
        Ok(server.map(|server| Self { server, tap }))
    }

    /// A number of `SPANBRIDGE.INFO`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn number(&self, name: &str) -> Result<u64> {
        number(&mut self.server.client()?, name)
    }

    /// Ends the server as its operator would, and answers every span that it exported.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn finish(mut self) -> Result<Vec<Span>> {
        let process = self.server.process()?;
        process.terminate()?;
        let status = process.wait(BOUND)?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        self.tap.spans()
    }

    /// Waits until a number of `SPANBRIDGE.INFO` is at least this.
    ///
    /// # Errors
    /// When it does not become so.
    pub fn wait_for(&self, name: &str, least: u64) -> Result<u64> {
        let mut client = self.server.client()?;
        eventually(name, BOUND, || Ok(Some(number(&mut client, name)?).filter(|it| *it >= least)))
    }
}

fn number(client: &mut RedisClient, name: &str) -> Result<u64> {
    let page = client.say("SPANBRIDGE.INFO")?;
    let line = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("no {name} in {page:?}"))?.parse()?)
}
