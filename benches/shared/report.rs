//! Figures for people and, with `--write`, for the table of docs/performance.md; and the folder that a run works in.

use std::path::{Path, PathBuf};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
const PREFIX: &str = "hinomi-bench-";

/// The figures of one bench.
#[derive(Debug)]
pub(crate) struct Report {
    bench: &'static str,
    rows: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn new(bench: &'static str) -> Report {
        Report {
            bench,
            rows: Vec::new(),
        }
    }

    /// One figure: printed at once.
    pub(crate) fn row(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        let (what, figure) = (what.into(), figure.into());
        println!("{what:44} {figure}");
        self.rows.push((what, figure));
    }

    /// Puts the table between the markers of this bench.
    pub(crate) fn write(&self) -> Result<(), String> {
        let text = std::fs::read_to_string(DOCUMENT).map_err(|e| format!("{DOCUMENT}: {e}"))?;
        let (begin, end) = (format!("<!-- {} -->", self.bench), format!("<!-- /{} -->", self.bench));
        let place = text
            .split_once(&begin)
            .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
        let (before, after) = place.ok_or(format!("{DOCUMENT}: no markers {begin} … {end}"))?;
        let mut table = format!("\n{}\n\n| What | Figure |\n|---|---|\n", machine());
        self.rows
            .iter()
            .for_each(|(what, figure)| table += &format!("| {what} | {figure} |\n"));
        std::fs::write(DOCUMENT, format!("{before}{begin}{table}{end}{after}")).map_err(|e| format!("{DOCUMENT}: {e}"))
    }
}

/// Date, kernel and cores of the run.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let date = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let date = date
        .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
        .unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|l| {
        l.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, m)| m.to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{date}, Linux {}, {cores} cores ({}), net.core.rmem_max {}",
        read("/proc/sys/kernel/osrelease"),
        model.unwrap_or_else(|| "unknown".to_owned()),
        read("/proc/sys/net/core/rmem_max")
    )
}

/// A folder of this run; it is removed when it is dropped, and by the next run if this one is killed.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders of runs that are gone.
pub(crate) fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(PREFIX) else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
