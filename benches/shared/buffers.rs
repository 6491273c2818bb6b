//! The largest receive buffer that an unprivileged service gets, as Debian has it, for as long as a bench needs it.
//!
//! The limit is one for the whole host. It is put back by a process of its own that waits for the end of the bench, so it is put
//! back even if the bench is killed.

use std::process::{Child, Command, Stdio};

/// net.core.rmem_max of Debian.
const DEBIAN: u64 = 212_992;
const FILE: &str = "/proc/sys/net/core/rmem_max";

/// While this lives, the limit is Debian's.
#[derive(Debug)]
pub(crate) struct DebianBuffers {
    keeper: Child,
}

impl DebianBuffers {
    pub(crate) fn set() -> Result<DebianBuffers, String> {
        let before = std::fs::read_to_string(FILE).map_err(|e| format!("{FILE}: {e}"))?;
        let before: u64 = before.trim().parse().map_err(|e| format!("{FILE}: {before}: {e}"))?;
        // The limit can be set in the first network namespace only.
        let set = |value: u64| format!("nsenter --target 1 --net sh -c 'echo {value} > {FILE}'");
        let script = format!(
            "trap '' INT TERM HUP; {} || exit 1; echo set; read end; {}",
            set(DEBIAN),
            set(before)
        );
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut keeper = keeper.spawn().map_err(|e| format!("sh: {e}"))?;
        let mut said = String::new();
        let words = keeper.stdout.take().ok_or("the keeper of the limit has no pipe")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(words), &mut said)
            .map_err(|e| format!("{FILE}: {e}"))?;
        if said.trim() != "set" {
            return Err(format!(
                "{FILE} cannot be set to {DEBIAN}: not root in the first network namespace?"
            ));
        }
        println!("net.core.rmem_max is {DEBIAN} until the end of this run, then {before} again");
        Ok(DebianBuffers { keeper })
    }
}

impl Drop for DebianBuffers {
    fn drop(&mut self) {
        // The end of its input is its sign.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
