//! Tells what was measured: at the end, or what there is when somebody interrupts.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;

use crate::figure::Figure;
use crate::machine::Machine;
use crate::options::Options;
use crate::table;

/// Where figures are told, and what stands beside them.
pub(crate) struct Report {
    machine: Machine,
    started: Instant,
    seconds: f64,
    json: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

static REPORT: OnceLock<Report> = OnceLock::new();

/// Every figure so far, in the order in which they came.
static FIGURES: Mutex<Vec<Figure>> = Mutex::new(Vec::new());

impl Report {
    /// The report of this process, which is begun once.
    pub(crate) fn begin(options: &Options, machine: Machine, started: Instant) -> &'static Report {
        REPORT.get_or_init(|| Report {
            machine,
            started,
            seconds: options.seconds().as_secs_f64(),
            json: options.json.clone(),
            markdown: options.markdown.clone(),
        })
    }

    /// Tells the figures; `remark` says what a reader must know of all of them.
    fn tell(&self, figures: &[Figure], remark: &str) -> Result<()> {
        let figures = table::arrange(figures);
        let took = self.started.elapsed().as_secs();
        let took = format!("measured in {took} s, {} s a measurement{remark}", self.seconds);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}\n{}\n{took}", self.machine.text(), table::text(&figures))?;
        if let Some(file) = &self.json {
            let all = json!({ "machine": self.machine, "seconds": self.seconds, "figures": figures });
            std::fs::write(file, serde_json::to_string_pretty(&all)? + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(file) = &self.markdown {
            let text = format!("{}\n{}\n{took}\n", self.machine.markdown(), table::markdown(&figures));
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    /// Tells all figures, and gives them.
    pub(crate) fn finish(&self) -> Result<Vec<Figure>> {
        let figures = figures();
        self.tell(&figures, "")?;
        Ok(figures)
    }
}

pub(crate) fn add(figure: Figure) {
    FIGURES.lock().unwrap_or_else(PoisonError::into_inner).push(figure);
}

pub(crate) fn figures() -> Vec<Figure> {
    FIGURES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Tells what there is so far, if anything was measured.
pub(crate) fn tell_interrupted(figures: &[Figure]) {
    let Some(report) = REPORT.get().filter(|_| !figures.is_empty()) else { return };
    if let Err(error) = report.tell(figures, "; interrupted, the rest is missing") {
        eprintln!("error: {error:#}");
    }
}
