//! The daemon's own numbers, in a registry of the `prometheus` crate.

use super::names::{self, FAMILIES, Family};
use prometheus::core::Collector;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, Opts, Registry, TextEncoder};
use std::time::Duration;

/// What the operating system says about this process, read by the shell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// User and system time.
    pub cpu: Duration,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Seconds since 1970.
    pub started: f64,
}

/// Handles on the daemon's own numbers. Cheap to share; all of it may be used from any thread.
#[derive(Debug)]
pub struct Own {
    registry: Registry,
    reload_ok: Gauge,
    reload_time: Gauge,
    commit_seconds: Histogram,
    progress_age: GaugeVec,
    watchdog_feeds: Counter,
    heartbeats: CounterVec,
    traps: CounterVec,
    /// Without a label; absent until the kernel has told.
    traps_dropped: CounterVec,
    cpu: Counter,
    resident: Gauge,
    fds: Gauge,
    started: Gauge,
}

/// The row of the table; a missing one is a mistake in this crate that every start would show.
fn row(name: &str) -> &'static Family {
    FAMILIES
        .iter()
        .find(|f| f.name == name)
        .expect("every name of `Own` stands in the table")
}

fn opts(name: &str) -> Opts {
    Opts::new(name, row(name).help)
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("the table holds valid names only");
    registry
        .register(Box::new(collector.clone()))
        .expect("the table holds each name once");
    collector
}

impl Default for Own {
    fn default() -> Own {
        Own::new()
    }
}

impl Own {
    /// A registry with all of the daemon's own families in it.
    pub fn new() -> Own {
        let registry = Registry::new();
        let r = &registry;
        let gauge = |name| register(r, Gauge::with_opts(opts(name)));
        let counter = |name| register(r, Counter::with_opts(opts(name)));
        let counters = |name| register(r, CounterVec::new(opts(name), row(name).labels));
        let gauges = |name| register(r, GaugeVec::new(opts(name), row(name).labels));
        // 0.1 ms to 10 s: a commit that waits for the disk takes 0.2 ms on flash, 20 ms on a disk, seconds when ill.
        let buckets = vec![1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0];
        let commit = HistogramOpts::from(opts(names::COMMIT_SECONDS)).buckets(buckets);
        gauges(names::BUILD_INFO)
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        Own {
            reload_ok: gauge(names::RELOAD_OK),
            reload_time: gauge(names::RELOAD_TIME),
            commit_seconds: register(r, Histogram::with_opts(commit)),
            progress_age: gauges(names::PROGRESS_AGE),
            watchdog_feeds: counter(names::WATCHDOG_FEEDS),
            heartbeats: counters(names::HEARTBEATS),
            traps: counters(names::TRAPS),
            traps_dropped: counters(names::TRAPS_DROPPED),
            cpu: counter(names::CPU_SECONDS),
            resident: gauge(names::RSS_BYTES),
            fds: gauge(names::OPEN_FDS),
            started: gauge(names::START_TIME),
            registry,
        }
    }

    /// A configuration was taken at `seconds` since 1970 (`Some`), or refused (`None`).
    pub fn reloaded(&self, seconds: Option<f64>) {
        self.reload_ok.set(if seconds.is_some() { 1.0 } else { 0.0 });
        if let Some(seconds) = seconds {
            self.reload_time.set(seconds);
        }
    }

    /// A ledger transaction took this long.
    pub fn committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A part (`engine`, `ledger`, `tokio`) last made progress this long ago.
    pub fn progress(&self, part: &str, age: Duration) {
        self.progress_age.with_label_values(&[part]).set(age.as_secs_f64());
    }

    /// The watchdog was fed.
    pub fn watchdog_fed(&self) {
        self.watchdog_feeds.inc();
    }

    /// A heartbeat was sent, or failed.
    pub fn heartbeat(&self, ok: bool) {
        let result = if ok { "ok" } else { "failed" };
        self.heartbeats.with_label_values(&[result]).inc();
    }

    /// What became of the datagrams to the port for traps and informs since the start, by result.
    pub fn traps(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        for (result, count) in counts {
            raise(&self.traps.with_label_values(&[result]), count);
        }
    }

    /// Datagrams to that port that the kernel has dropped since its sockets were opened.
    pub fn traps_dropped(&self, count: u64) {
        raise(&self.traps_dropped.with_label_values::<&str>(&[]), count);
    }

    /// What the system says about the process.
    pub fn process(&self, process: &Process) {
        // The process's CPU time never falls; a reading that does is passed over.
        self.cpu.inc_by((process.cpu.as_secs_f64() - self.cpu.get()).max(0.0));
        self.resident.set(process.resident_bytes as f64);
        self.fds.set(process.open_fds as f64);
        self.started.set(process.started);
    }

    /// In the text format.
    pub fn encode(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }
}

/// Brings a counter up to what was counted elsewhere; it never falls.
fn raise(counter: &Counter, to: u64) {
    counter.inc_by((to as f64 - counter.get()).max(0.0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reload_keeps_the_time_of_the_last_good_one() {
        let own = Own::new();
        own.reloaded(Some(1_700_000_000.0));
        own.reloaded(None);
        let text = own.encode();
        assert!(text.contains("hinomi_config_last_reload_successful 0\n"), "{text}");
        assert!(
            text.contains("hinomi_config_last_reload_success_timestamp_seconds 1700000000\n"),
            "{text}"
        );
    }

    #[test]
    fn cpu_time_never_falls() {
        let own = Own::new();
        for seconds in [5, 9, 7] {
            own.process(&Process {
                cpu: Duration::from_secs(seconds),
                ..Process::default()
            });
        }
        assert!(own.encode().contains("process_cpu_seconds_total 9\n"));
    }
}
