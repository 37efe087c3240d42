//! Files that are named on the command line and read whole.

use std::io::Read;
use std::path::Path;

use super::Failure;

/// The text of a file of at most so many bytes; `-` is standard input.
pub(super) fn text(path: &Path, most: u64) -> Result<String, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!("cannot read {shown}: {error}"))
            .hint("name a file of text that is there and may be read")
    };
    let mut text = String::new();
    let source: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(path).map_err(unreadable)?),
    };
    source.take(most + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > most {
        return Err(Failure::usage(format!("{shown} has more than {most} bytes")).hint("split it into several files"));
    }
    Ok(text)
}
