//! Progress on a terminal; nothing where standard error is a file or a pipe.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

fn bar(length: u64, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// A bar of bytes, with rate and time left.
pub(crate) fn of_bytes() -> ProgressBar {
    bar(0, "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left")
}

/// Steps of [`of_share`].
pub(crate) const SHARE_STEPS: u64 = 10_000;

/// A bar of a share of work done, in [`SHARE_STEPS`]ths; the message tells the counts.
pub(crate) fn of_share() -> ProgressBar {
    bar(SHARE_STEPS, "[{bar:30}] {percent}% {msg}, {eta} left")
}

/// Work whose share is not known; the message tells the counts.
pub(crate) fn of_work() -> ProgressBar {
    bar(0, "{spinner} {msg}, {elapsed}")
}
