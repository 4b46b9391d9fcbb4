//! What this test's thread, and so all of its tasks, writes to the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Log {
    written: Written,
    _guard: DefaultGuard,
}

impl Log {
    /// From now on it is kept.
    pub(crate) fn kept() -> Self {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        Log { written, _guard: guard }
    }

    /// The lines that have this.
    pub(crate) fn with(&self, what: &str) -> Vec<String> {
        let written = String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap();
        written.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
    }
}
