//! Stopping in good order on Ctrl-C or SIGTERM.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Whether the user wants the work to end.
#[derive(Clone)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on. The first signal says `message` and lets the work come to a good end; a second one ends the
    /// program at once.
    pub(crate) fn on_signal(message: &'static str) -> anyhow::Result<Self> {
        let stop = Self(Arc::new(AtomicBool::new(false)));
        let seen = stop.0.clone();
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(3);
            }
            eprintln!("{message}; again to stop at once");
        })
        .context("signals can't be handled")?;
        Ok(stop)
    }

    /// `Break` once there was a signal.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.0.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
