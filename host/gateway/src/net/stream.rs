//! One connection: plain, or behind TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Answers whether bytes that were taken are still here: records that the socket did not take.
    pub(crate) fn has_unflushed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.wants_write(),
        }
    }

    /// Reads up to and with the first line end, and nothing behind it.
    ///
    /// What is behind it may be the peer's part of a TLS handshake: taken from here, it would be
    /// bytes that nobody has protected.
    pub(crate) async fn read_line(&mut self, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            if line.len() >= bytes_max {
                let what = format!("expected a line of at most {bytes_max} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            match self {
                Self::Plain(stream) => read_seen(stream, bytes_max, &mut line).await?,
                // Whole records are decrypted at once; reading bytes of them one by one is cheap.
                Self::Tls(stream) => line.push(stream.read_u8().await?),
            }
        }
        Ok(line)
    }
}

/// Reads what has come already, up to and with a line end.
async fn read_seen(stream: &mut TcpStream, bytes_max: usize, line: &mut Vec<u8>) -> io::Result<()> {
    let mut seen = [0; 1024];
    let room = (bytes_max - line.len()).min(seen.len());
    let count = stream.peek(&mut seen[..room]).await?;
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = seen[..count].iter().position(|&byte| byte == b'\n');
    let take = end.map_or(count, |end| end + 1);
    stream.read_exact(&mut seen[..take]).await?;
    line.extend_from_slice(&seen[..take]);
    Ok(())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buffer) {
                // Ended without saying so in TLS. Frames have lengths, and a cut off one is one
                // with and without TLS.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                other => other,
            },
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
