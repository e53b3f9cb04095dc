//! The other side of the admin socket: `spanbridge component`.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use spanbridge::ComponentSource;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::cli::ComponentVerb;
use crate::precompile::{self, PrecompileError};

/// Compiling the largest component that is taken needs some seconds on a slow machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer is a line or a few.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is too large for a component.
    #[error("{path}: expected at most {} bytes, found more", ComponentSource::BYTES_MAX)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// No gateway answers there.
    #[error("no gateway answers at {path}: {what}")]
    Connection {
        /// Which socket.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// The gateway says no.
    #[error("refused: {0}")]
    Refused(String),
    /// A component cannot be compiled.
    #[error(transparent)]
    Precompile(#[from] PrecompileError),
    /// Nothing can be written to standard output.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Loads a component, or says which one is loaded. Prints what is loaded afterwards.
///
/// # Errors
///
/// Fails when the file or the gateway cannot be had, or the gateway refuses the component.
pub fn run(verb: &ComponentVerb) -> Result<(), ClientError> {
    let (socket, method, body) = match verb {
        ComponentVerb::Precompile { output, component } => {
            return Ok(precompile::run(output, component.as_deref())?);
        }
        ComponentVerb::Load { file, admin_socket } => (admin_socket, Method::POST, read(file)?),
        ComponentVerb::Show { admin_socket } => (admin_socket, Method::GET, Vec::new()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connection = |what: String| ClientError::Connection { path: socket.clone(), what };
    let asked =
        runtime.block_on(async { timeout(ANSWER_TIMEOUT, ask(socket, method, body)).await });
    let (status, answer) = asked
        .map_err(|_| connection("no answer in time".to_owned()))?
        .map_err(|error| connection(error.to_string()))?;
    if status != StatusCode::OK {
        return Err(ClientError::Refused(answer.trim_end().to_owned()));
    }
    let mut out = io::stdout().lock();
    out.write_all(answer.as_bytes())?;
    Ok(out.flush()?)
}

fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    let error = |source| ClientError::File { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(error)?;
    let mut bytes = Vec::new();
    let size = file.take(ComponentSource::BYTES_MAX + 1).read_to_end(&mut bytes).map_err(error)?;
    if size as u64 > ComponentSource::BYTES_MAX {
        return Err(ClientError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

async fn ask(
    socket: &Path,
    method: Method,
    body: Vec<u8>,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri("/component")
        .header(HOST, "localhost")
        .body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
