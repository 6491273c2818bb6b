//! The largest receive buffer that an unprivileged service gets, as Debian has it, while the sockets of a bench are opened.
//!
//! The limit is one for the whole host, and can be set outside of the bench's network namespace only. It is lowered for half a
//! minute at most, and put back by a process of its own, so it is put back even if the bench is killed.

use std::process::{Child, Command, Stdio};

/// net.core.rmem_max of Debian.
const DEBIAN: u64 = 212_992;
/// On the command line of a bench.
pub(crate) const SWITCH: &str = "--debian-buffers";
const FILE: &str = "/proc/sys/net/core/rmem_max";

/// For 30 s, and no longer than this lives, the limit is Debian's.
#[derive(Debug)]
pub(crate) struct DebianBuffers {
    keeper: Child,
}

impl DebianBuffers {
    pub(crate) fn set() -> Result<DebianBuffers, String> {
        let before = std::fs::read_to_string(FILE).map_err(|e| format!("{FILE}: {e}"))?;
        let before: u64 = before.trim().parse().map_err(|e| format!("{FILE}: {before}: {e}"))?;
        let script = format!(
            "trap '' INT TERM HUP; echo {DEBIAN} > {FILE} || exit 1; echo set; timeout 30 cat > /dev/null; echo {before} > {FILE}"
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
                "{FILE} cannot be set to {DEBIAN}: is this root, outside of a network namespace?"
            ));
        }
        println!("net.core.rmem_max is {DEBIAN} for 30 s, then {before} again");
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
