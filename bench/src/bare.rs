//! The bare minimum: bytes into sockets.

use crate::process;
use anyhow::Context;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

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

    /// Writes the same octets to every socket, one after the other, on a thread of its own. When the first write began, and the
    /// processor time of all.
    pub(crate) fn write(&mut self, octets: &[u8]) -> anyhow::Result<(Instant, Duration)> {
        let write = || -> anyhow::Result<(Instant, Duration)> {
            let before = process::cpu_of_this_thread();
            let begun = Instant::now();
            self.0.iter_mut().try_for_each(|stream| stream.write_all(octets))?;
            Ok((begun, process::cpu_of_this_thread().saturating_sub(before)))
        };
        let written = std::thread::scope(|scope| scope.spawn(write).join());
        written.ok().context("the bare writer failed")?
    }
}
