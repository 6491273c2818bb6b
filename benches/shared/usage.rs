//! What a process has used, by the kernel's account of all its threads, living and ended.

use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::ops::Sub;

/// Length of a tick of /proc/PID/stat: USER_HZ is 100 on every Linux that Debian builds.
const TICK_S: f64 = 0.01;

/// CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds, by the process's CPU clock.
    pub(crate) total_s: f64,
    /// Seconds in user mode and in the kernel, in ticks of 10 ms: for their ratio only.
    user_s: f64,
    system_s: f64,
}

impl Usage {
    /// Of a running process; nothing for one that has ended.
    pub(crate) fn of(pid: u32) -> Usage {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name may hold anything, so counting begins behind it: utime and stime are the 12th and 13th fields there.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid.cast_signed())).and_then(clock_gettime);
        Usage {
            total_s: clock.map_or(0.0, |t| t.tv_sec() as f64 + t.tv_nsec() as f64 / 1e9),
            user_s: ticks(11) * TICK_S,
            system_s: ticks(12) * TICK_S,
        }
    }

    /// Microseconds for one of `n`.
    pub(crate) fn us_each(self, n: u64) -> f64 {
        self.total_s * 1e6 / n.max(1) as f64
    }

    /// Per cent of one core over `seconds`.
    pub(crate) fn percent(self, seconds: f64) -> f64 {
        self.total_s / seconds * 100.0
    }

    /// Share in the kernel, per cent.
    pub(crate) fn kernel_percent(self) -> f64 {
        self.system_s / (self.user_s + self.system_s).max(TICK_S) * 100.0
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, before: Usage) -> Usage {
        Usage {
            total_s: self.total_s - before.total_s,
            user_s: self.user_s - before.user_s,
            system_s: self.system_s - before.system_s,
        }
    }
}

/// A field of /proc/PID/status in KiB: `VmRSS`, `VmHWM`.
pub(crate) fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
