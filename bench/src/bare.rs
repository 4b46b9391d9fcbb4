//! The bare minimum: bytes into sockets.

use anyhow::Context;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// Connected, ready to write.
pub(crate) struct Writer(Vec<TcpStream>);

impl Writer {
    /// Connects to every receiver.
    pub(crate) fn connect(to: &[SocketAddr]) -> anyhow::Result<Self> {
        let connect = |address: &SocketAddr| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        to.iter().map(connect).collect::<std::io::Result<_>>().map(Writer).context("cannot connect to the receivers")
    }

    /// Writes the same octets to every socket, one after the other, on a thread of its own. When the first write began.
    pub(crate) fn write(mut self, octets: &[u8]) -> anyhow::Result<Instant> {
        let write = move || {
            let begun = Instant::now();
            self.0.iter_mut().try_for_each(|stream| stream.write_all(octets)).map(|()| begun)
        };
        let written = std::thread::scope(|scope| scope.spawn(write).join());
        Ok(written.ok().context("the bare writer failed")??)
    }
}
