//! Progress of long work, drawn on standard error while somebody looks at it.

use indicatif::{ProgressBar, ProgressStyle};

#[allow(dead_code, reason = "long commands count: imports, exports, backups")]
/// A bar over `total` things, such as runs; `what` says what is being done.
pub(crate) fn counting(total: u64, what: impl Into<String>) -> ProgressBar {
    styled(ProgressBar::new(total), "{msg} {wide_bar:.cyan/dim} {human_pos}/{human_len} {per_sec} {eta}", what)
}

/// A bar over `total` bytes, unless they are moved before anybody could look.
pub(crate) fn bytes(total: u64, what: impl Into<String>) -> ProgressBar {
    const FEW: u64 = 8 * 1024 * 1024;

    if total < FEW {
        return ProgressBar::hidden();
    }
    let template = "{msg} {wide_bar:.cyan/dim} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}";
    styled(ProgressBar::new(total), template, what)
}

#[allow(dead_code, reason = "long commands count: imports, exports, backups")]
/// For work of unknown length; `what` is said with what has been done so far.
pub(crate) fn spinner(what: impl Into<String>) -> ProgressBar {
    let bar = styled(ProgressBar::new_spinner(), "{spinner:.cyan} {msg} {human_pos}", what);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

fn styled(bar: ProgressBar, template: &str, what: impl Into<String>) -> ProgressBar {
    // A template that does not parse would be a defect of ours; the plain bar does as well.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what.into());
    bar
}
