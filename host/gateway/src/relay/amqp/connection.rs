//! What the peers say about the connection: who the client is, where it goes, what fits a frame.
//!
//! What a client logs in with is neither read nor kept, apart from its user's name.

use spanbridge_wire::amqp::{ClientProperties, Method, StartOk, Table};
use tracing::warn;

use super::limits::NAME_BYTES_MAX;
use super::state::{Call, Phase, State};

impl State {
    /// A method of the connection itself, from either side. Answers whether it was one.
    pub(super) fn connection_method(
        &mut self,
        method: &Method,
        rest: &[u8],
        call: &Call<'_>,
    ) -> bool {
        match method {
            Method::ConnectionStartOk(start_ok) => self.start_ok(start_ok, rest, call),
            // What the client makes of the broker's proposal holds for both.
            Method::ConnectionTuneOk(tune) => self.frame_max = tune.frame_max,
            Method::ConnectionOpen { vhost } => {
                let vhost = vhost.of(rest);
                self.vhost = vhost.into();
                self.routes.set_vhost(std::str::from_utf8(vhost).ok());
            }
            Method::ConnectionOpenOk => self.phase = Phase::Open,
            Method::ConnectionClose(_) | Method::ConnectionCloseOk => self.phase = Phase::Closing,
            _ => return false,
        }
        true
    }

    fn start_ok(&mut self, start_ok: &StartOk, rest: &[u8], call: &Call<'_>) {
        let properties = ClientProperties::of(Table::new(start_ok.client_properties.of(rest)));
        let user = start_ok.user.and_then(|user| text(user.of(rest)));
        let name = properties.connection_name.and_then(text);
        self.resource = call.shared.listener.resource(name, user);
        self.routes.set_user(user);
        if start_ok.mechanism.of(rest) == b"EXTERNAL" && call.shared.is_first_external() {
            warn!(
                "a client logs in by its certificate (EXTERNAL), which cannot pass: the broker \
                 sees the gateway's own, if broker_tls names one"
            );
        }
    }
}

/// A name, if it can be one.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= NAME_BYTES_MAX)
}
