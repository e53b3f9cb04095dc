//! What tests of the RabbitMQ plugin need: a RabbitMQ of Debian that can load it, its settings, and
//! the spans that it exports.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::broker::{Broker, Release};
use crate::rabbitmq::RabbitMq;
use crate::receiver::{Receiver, Tap};
use crate::tool;

/// The plugin's name.
const PLUGIN: &str = "rabbitmq_spanbridge";

/// Vhosts of a bed: each test that shares one takes its own.
const VHOSTS: usize = 16;

/// A broker and the tap of its plugin.
#[derive(Debug)]
pub struct PluginBed {
    /// The broker. It belongs to this bed.
    pub server: RabbitMq,
    /// Where the plugin's spans come out.
    pub tap: Tap,
    /// The plugin and its configuration lie here.
    _folder: TempDir,
}

impl PluginBed {
    /// The bed, its plugin enabled, that tests of this release share which only publish; `None`
    /// when a tool is missing and may be.
    ///
    /// # Errors
    /// When something does not come up.
    pub fn shared(release: Release) -> Result<Option<Arc<Self>>> {
        static SHARED: Mutex<Vec<(Release, Arc<PluginBed>)>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bed)) = shared.iter().find(|(of, _)| *of == release) {
            return Ok(Some(Arc::clone(bed)));
        }
        let settings = match release {
            Release::Forky => "[{protocols, [amqp091, amqp10]}]",
            Release::Installed | Release::Trixie => "[]",
        };
        let Some(bed) = Self::start(release, false, settings)? else { return Ok(None) };
        bed.enable()?;
        let bed = Arc::new(bed);
        shared.push((release, Arc::clone(&bed)));
        Ok(Some(bed))
    }

    /// Starts a broker with the plugin at hand and not enabled, and these terms as its settings.
    /// The component is a `faulty` one if asked for.
    ///
    /// # Errors
    /// As [`Self::shared`].
    pub fn start(release: Release, faulty: bool, settings: &str) -> Result<Option<Self>> {
        Self::start_with(release, faulty, settings, Vec::new())
    }

    /// The same, with more variables in the broker's environment.
    ///
    /// # Errors
    /// As [`Self::shared`].
    pub fn start_with(
        release: Release,
        faulty: bool,
        settings: &str,
        more: Vec<(String, String)>,
    ) -> Result<Option<Self>> {
        let Some(receiver) = Receiver::shared()? else { return Ok(None) };
        let Some(broker) = Broker::of(release)? else { return Ok(None) };
        let Some(archive) = tool::rabbitmq_plugin(faulty, release.suite())? else {
            return Ok(None);
        };
        let (folder, tap) = (TempDir::new()?, receiver.tap());
        let own = folder.path().join("plugins");
        fs::create_dir(&own)?;
        fs::copy(&archive, own.join(archive.file_name().context("a file")?))?;
        let advanced = folder.path().join("advanced.config");
        fs::write(&advanced, format!("[{{{PLUGIN}, {settings}}}].\n"))?;
        let theirs = broker.plugins()?;
        let mut variables = tap.grpc();
        let plugins = format!("{}:{}", own.display(), theirs.display());
        variables.push(("RABBITMQ_PLUGINS_DIR".to_owned(), plugins));
        let advanced = advanced.display().to_string();
        variables.push(("RABBITMQ_ADVANCED_CONFIG_FILE".to_owned(), advanced));
        variables.push(("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "100".to_owned()));
        variables.extend(more);
        let server = RabbitMq::start_with(broker, VHOSTS, variables)?;
        Ok(Some(Self { server, tap, _folder: folder }))
    }

    /// Switches the plugin on in the running broker.
    ///
    /// # Errors
    /// When the broker's tool says that it failed.
    pub fn enable(&self) -> Result<()> {
        let (is_good, said) = self.try_enable()?;
        ensure!(is_good, "{said:?}");
        Ok(())
    }

    /// Tries to, and answers whether the tool said that it succeeded, and what it said.
    ///
    /// # Errors
    /// When the tool does not end.
    pub fn try_enable(&self) -> Result<(bool, Vec<String>)> {
        self.server.tool("rabbitmq-plugins", &["enable", PLUGIN])
    }

    /// Switches it off.
    ///
    /// # Errors
    /// As [`Self::enable`].
    pub fn disable(&self) -> Result<()> {
        let (is_good, said) = self.server.tool("rabbitmq-plugins", &["disable", PLUGIN])?;
        ensure!(is_good, "{said:?}");
        Ok(())
    }

    /// A row of `rabbitmqctl spanbridge_status`.
    ///
    /// # Errors
    /// When the tool fails, or has no such row.
    pub fn status(&self, name: &str) -> Result<String> {
        let rows = self.server.control(&["spanbridge_status"])?;
        let row = rows.iter().find_map(|row| row.strip_prefix(name)?.strip_prefix('\t'));
        Ok(row.with_context(|| format!("no {name} in {rows:?}"))?.to_owned())
    }

    /// The sum of the rows of a counter, whatever their reasons.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn counted(&self, name: &str) -> Result<u64> {
        let rows = self.server.control(&["spanbridge_status"])?;
        let values = rows.iter().filter_map(|row| {
            let (found, value) = row.split_once('\t')?;
            let found = found.split('{').next()?;
            (found == name).then(|| value.parse::<u64>().ok())?
        });
        Ok(values.sum())
    }

    /// Where clients find a vhost.
    pub fn url(&self, vhost: &str) -> String {
        let vhost = if vhost == "/" { "%2f" } else { vhost };
        format!("amqp://guest:guest@{}/{vhost}", self.server.address())
    }
}
