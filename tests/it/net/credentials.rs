//! Credentials pass through, and none of them is logged: tokens, passwords, keys, and JWTs.

use anyhow::{Context, Result};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Flavour, Gateway, NatsServer, RawNats};
use tempfile::TempDir;

use crate::nats::on_both_brokers;

on_both_brokers! {
    password_and_token_pass => password_and_token;
    signature_of_the_nonce_passes => nkey;
    jwt_passes_and_is_not_logged => jwt;
}

/// A gateway that says all it can say.
fn talkative(broker: &str) -> Result<(Gateway, TempDir)> {
    let folder = TempDir::new()?;
    let settings = Settings::listener(folder.path(), broker, "")?;
    let settings = settings.variable("OTEL_TRACES_EXPORTER", "none");
    Ok((settings.variable("OTEL_LOG_LEVEL", "trace").start()?, folder))
}

fn password_and_token(flavour: Flavour) -> Result<()> {
    for (authorization, right, wrong) in [
        (
            "authorization { user: shop, password: hunter2 }",
            r#"{"verbose":false,"user":"shop","pass":"hunter2"}"#,
            r#"{"verbose":false,"user":"shop","pass":"hunter3"}"#,
        ),
        (
            "authorization { token: hunter2 }",
            r#"{"verbose":false,"auth_token":"hunter2"}"#,
            r#"{"verbose":false,"auth_token":"hunter3"}"#,
        ),
    ] {
        let Some(server) = NatsServer::start_with(flavour, authorization)? else { return Ok(()) };
        let (gateway, _folder) = talkative(&server.url())?;
        RawNats::open(gateway.address(), right)?;
        let mut stranger = RawNats::connect(gateway.address())?;
        stranger.send(format!("CONNECT {wrong}\r\n").as_bytes())?;
        assert_eq!(stranger.line()?, b"-ERR 'Authorization Violation'\r\n");
        let log = gateway.log().join("\n");
        assert!(!log.contains("hunter"), "{log}");
        gateway.stop()?;
    }
    Ok(())
}

fn nkey(flavour: Flavour) -> Result<()> {
    let user = Key::new(USER, 1)?;
    let authorization = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public());
    let Some(server) = NatsServer::start_with(flavour, &authorization)? else { return Ok(()) };
    let (gateway, _folder) = talkative(&server.url())?;
    let mut client = RawNats::connect(gateway.address())?;
    let signature = user.sign(nonce(&client)?.as_bytes());
    let (nkey, sig) = (user.public(), base64(&signature));
    client.send(
        format!("CONNECT {{\"verbose\":false,\"nkey\":\"{nkey}\",\"sig\":\"{sig}\"}}\r\n")
            .as_bytes(),
    )?;
    assert_eq!(client.round_trip()?, b"");
    assert!(!gateway.log().join("\n").contains(&sig));
    gateway.stop()?;
    Ok(())
}

fn jwt(flavour: Flavour) -> Result<()> {
    let operator = Key::new(OPERATOR, 2)?;
    let (account, user) = (Key::new(ACCOUNT, 3)?, Key::new(USER, 4)?);
    let of_operator = operator.token(&operator, "operator", "");
    let limits = r#""limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,
        "wildcards":true,"conn":-1,"leaf":-1},"#;
    let of_account = operator.token(&account, "account", limits);
    let permissions = r#""pub":{},"sub":{},"subs":-1,"data":-1,"payload":-1,"#;
    let of_user = account.token(&user, "user", permissions);
    // A server with JetStream wants to know which account is its own.
    let system = Key::new(ACCOUNT, 5)?;
    let of_system = operator.token(&system, "account", limits);
    let (account_id, system_id) = (account.public(), system.public());
    let configuration = format!(
        "operator: {of_operator}\nsystem_account: {system_id}\nresolver: MEMORY\n\
         resolver_preload: {{ {account_id}: {of_account}, {system_id}: {of_system} }}"
    );
    let Some(server) = NatsServer::start_with(flavour, &configuration)? else { return Ok(()) };
    let (gateway, _folder) = talkative(&server.url())?;
    let connect = |signer: &Key| -> Result<Vec<u8>> {
        let mut client = RawNats::connect(gateway.address())?;
        let sig = base64(&signer.sign(nonce(&client)?.as_bytes()));
        client.send(
            format!("CONNECT {{\"verbose\":false,\"jwt\":\"{of_user}\",\"sig\":\"{sig}\"}}\r\n")
                .as_bytes(),
        )?;
        client.round_trip()
    };
    assert_eq!(connect(&user)?, b"");
    // Somebody else's signature beside it is refused: the broker has looked.
    assert!(connect(&account).is_err());
    assert!(!gateway.log().join("\n").contains(&of_user));
    gateway.stop()?;
    Ok(())
}

fn nonce(client: &RawNats) -> Result<String> {
    let json = client.info().strip_prefix(b"INFO ").context("INFO")?;
    let info: serde_json::Value = serde_json::from_slice(json)?;
    Ok(info["nonce"].as_str().context("a nonce")?.to_owned())
}

/// The first byte of public keys of each kind, by which they begin with O, A and U.
const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;

/// A key as NATS spells it: <https://docs.nats.io/reference/reference-protocols/nats-protocol>
/// names them nkeys. A kind, the key, and a CRC-16, in base 32.
struct Key {
    kind: u8,
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(kind: u8, seed: u8) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]);
        Ok(Self { kind, pair: pair.map_err(|error| anyhow::anyhow!("{error}"))? })
    }

    fn public(&self) -> String {
        let mut bytes = vec![self.kind];
        bytes.extend_from_slice(self.pair.public_key().as_ref());
        bytes.extend_from_slice(&crc16(&bytes).to_le_bytes());
        base32(&bytes)
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    /// A token in which this one says something about another.
    fn token(&self, about: &Self, kind: &str, members: &str) -> String {
        let (iss, sub) = (self.public(), about.public());
        let claims = format!(
            "{{\"jti\":\"x\",\"iat\":1700000000,\"iss\":\"{iss}\",\"name\":\"{kind}\",\
             \"sub\":\"{sub}\",\"nats\":{{{members}\"type\":\"{kind}\",\"version\":2}}}}"
        );
        let header = base64(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
        let signed = format!("{header}.{}", base64(claims.as_bytes()));
        let signature = base64(&self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

fn base32(bytes: &[u8]) -> String {
    in_base(bytes, 5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
}

/// The alphabet for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    in_base(bytes, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
}

fn in_base(bytes: &[u8], width: usize, alphabet: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    let digits = (0..bytes.len() * 8).step_by(width);
    let digit = |at: usize| (at..at + width).fold(0, |value, at| value << 1 | bit(at));
    digits.map(|at| char::from(alphabet[digit(at)])).collect()
}
