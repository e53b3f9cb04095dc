//! Which messages are traced, and how: rules by vhost and destination.
//!
//! The first rule that fits decides. Without any rule every message is traced; with rules, only
//! those that a rule names.

use std::sync::Arc;

use spanbridge::env::{Settings, TracesExporter};
use spanbridge::pattern::Pattern;
use spanbridge::{Error, Fields, Relation, Route, RouteSettings, Runtime, Trust};

/// Rules at most. Each is an open route, of which a component has room for 512.
pub const RULES_MAX: usize = 256;

/// One rule as the broker's configuration has it. Empty texts are unset.
#[derive(Clone, Debug, Default)]
pub struct RuleConfig {
    /// The vhost's name.
    pub vhost: String,
    /// Of destinations, named as on spans.
    pub pattern: String,
    /// `false`: messages that it fits go on untraced.
    pub trace: bool,
    /// `parent`, `link`, `parent+link`, `root` or `auto`.
    pub relation: String,
    /// `accept` or `restart`.
    pub trust: String,
    /// Whether there are publish spans. Context is written either way.
    pub spans: bool,
    /// Whose spans they are.
    pub service_name: String,
}

/// A rule, its route open.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    vhost: String,
    pattern: Option<Pattern>,
    /// `None`: what it fits goes on untraced.
    pub(crate) traced: Option<Traced>,
    /// Empty: the publishers' own.
    pub(crate) service_name: String,
}

/// How messages of a rule are traced.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    /// The route of the component.
    pub(crate) route: Route,
    /// The header names that it asks for.
    pub(crate) fields: Arc<Fields>,
}

impl Rule {
    /// Opens a rule's route.
    ///
    /// # Errors
    ///
    /// Says which key cannot be had, or what the component refused.
    pub(crate) fn open(
        config: &RuleConfig,
        env: &Settings,
        runtime: &Runtime,
    ) -> Result<Self, String> {
        let pattern = match &*config.pattern {
            "" => None,
            text => Some(Pattern::parse(text).map_err(|error| format!("pattern: {error}"))?),
        };
        let mut settings = settings(config, env)?;
        settings.destination_template =
            pattern.as_ref().and_then(Pattern::template).map(str::to_owned);
        let open = |settings| -> Result<Traced, Error> {
            let route = runtime.open_route(settings)?;
            Ok(Traced { route, fields: runtime.fields(route) })
        };
        let traced = if config.trace {
            Some(open(settings).map_err(|error| error.to_string())?)
        } else {
            None
        };
        let (vhost, service_name) = (config.vhost.clone(), config.service_name.clone());
        Ok(Self { vhost, pattern, traced, service_name })
    }

    /// Whether it is about this vhost.
    pub(crate) fn is_of(&self, vhost: &str) -> bool {
        self.vhost.is_empty() || self.vhost == vhost
    }

    /// Whether it is about this destination.
    pub(crate) fn fits(&self, destination: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches(destination))
    }
}

fn settings(config: &RuleConfig, env: &Settings) -> Result<RouteSettings, String> {
    let relation = match &*config.relation {
        "" | "parent+link" => Relation::ParentAndLink,
        "parent" => Relation::Parent,
        "link" => Relation::Link,
        "root" => Relation::Root,
        "auto" => Relation::Auto,
        word => {
            let allowed = "`parent`, `link`, `parent+link`, `root` or `auto`";
            return Err(format!("relation: expected {allowed}, found `{word}`"));
        }
    };
    let trust = match &*config.trust {
        "" | "accept" => Trust::Accept,
        "restart" => Trust::Restart,
        word => return Err(format!("trust: expected `accept` or `restart`, found `{word}`")),
    };
    Ok(RouteSettings {
        propagators: env.propagators.clone(),
        relation,
        trust,
        sampler: env.sampler.root,
        parent_based: env.sampler.parent_based,
        producer_spans: config.spans && exports(env),
        // What is delivered is not seen here.
        consumer_spans: false,
        receive_spans: false,
        old_names: env.semconv_dup,
        attribute_value_length_max: env.limits.attribute_value_length.unwrap_or(0),
        attribute_count_max: env.limits.attributes,
        link_count_max: env.limits.links,
        ..RouteSettings::new("rabbitmq")
    })
}

/// Whether spans go anywhere.
pub(crate) fn exports(env: &Settings) -> bool {
    !env.sdk_disabled && !matches!(env.exporter, TracesExporter::None)
}
