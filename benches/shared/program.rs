//! A program that a bench started: measured while it runs, ended by its id, gone when the bench is.

use super::usage::Usage;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    pub(crate) child: Child,
    log: PathBuf,
}

/// This program as a child of itself, of a kind.
pub(crate) fn own(kind: &str) -> Result<Command, String> {
    let own = std::env::current_exe().map_err(|e| format!("cannot name this program: {e}"))?;
    let mut command = Command::new(own);
    command.args(["--child", kind]);
    Ok(command)
}

impl Program {
    /// Starts `command` (made by [`own`]) with its words in a file of `folder`.
    pub(crate) fn start(name: &str, command: &mut Command, folder: &Path) -> Result<Program, String> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let child = command
            .stderr(Stdio::from(file))
            .spawn()
            .map_err(|e| format!("{name}: {e}"))?;
        Ok(Program {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Starts a program that is not this one.
    pub(crate) fn foreign(name: &str, program: &Path, words: &[String], folder: &Path) -> Result<Program, String> {
        let mut command = own("exec")?;
        command
            .arg(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Program::start(name, &mut command, folder)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.pid())
    }

    /// CPU time while `wait` runs.
    pub(crate) fn during(&mut self, wait: Duration) -> Result<Usage, String> {
        let before = self.usage();
        std::thread::sleep(wait);
        let used = self.usage() - before;
        self.running()?;
        Ok(used)
    }

    /// An error with its last words if it has ended.
    pub(crate) fn running(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} has ended ({status}): {}", self.name, self.last_words())),
            Err(e) => Err(format!("{}: {e}", self.name)),
        }
    }

    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        // A panic says first what it is about.
        let panic = lines.iter().position(|l| l.contains("panicked at"));
        let from = panic.unwrap_or(lines.len().saturating_sub(6));
        lines[from..(from + 6).min(lines.len())].join("\n")
    }

    /// Asks it to end, waits, and ends it.
    pub(crate) fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if let Ok(Some(_)) | Err(_) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}
