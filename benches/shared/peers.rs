//! The peers, as Debian packages them, configured to read the same objects: collectd's snmp plugin, prometheus-snmp-exporter.
//!
//! Never here: a peer made slower than it has to be.

use super::hinomi::get;
use super::program::Program;
use crate::fleet::{COMMUNITY, PORT, address};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// collectd with its snmp plugin: all numbers of a poll in one GET, no table walks, no output.
pub(crate) fn collectd(
    program: &Path,
    oids: &[String],
    targets: u32,
    interval_s: u32,
    folder: &Path,
) -> Result<Program, String> {
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    let sources: Vec<String> = (0..oids.len()).map(|n| format!("v{n}:GAUGE:U:U")).collect();
    std::fs::write(folder.join("types.db"), format!("poll {}\n", sources.join(", "))).map_err(io)?;
    let values: Vec<String> = oids.iter().map(|o| format!("\"{o}\"")).collect();
    let mut text = format!(
        "Interval {interval_s}\nBaseDir \"{0}\"\nPIDFile \"{0}/collectd.pid\"\nTypesDB \"{0}/types.db\"\nReadThreads 5\n\
         LoadPlugin snmp\n<Plugin snmp>\n<Data \"poll\">\nType \"poll\"\nTable false\nTypeInstance \"1\"\nValues {1}\n</Data>\n",
        folder.display(),
        values.join(" ")
    );
    for i in 0..targets {
        let _ = write!(
            text,
            "<Host \"agent-{i}\">\nAddress \"{}:{PORT}\"\nVersion 2\nCommunity \"{COMMUNITY}\"\nCollect \"poll\"\nInterval {interval_s}\n</Host>\n",
            address(i)
        );
    }
    text += "</Plugin>\n";
    let file = folder.join("collectd.conf");
    std::fs::write(&file, text).map_err(io)?;
    Program::foreign(
        "collectd",
        program,
        &["-f".to_owned(), "-C".to_owned(), file.display().to_string()],
        folder,
    )
}

/// prometheus-snmp-exporter, scraped by [`Scraper`].
pub(crate) fn snmp_exporter(program: &Path, oids: &[String], folder: &Path) -> Result<(Program, u16), String> {
    let mut text = format!("fleet:\n  version: 2\n  auth:\n    community: {COMMUNITY}\n  get:\n");
    oids.iter().for_each(|oid| text += &format!("  - {oid}\n"));
    text += "  metrics:\n";
    for (n, oid) in oids.iter().enumerate() {
        // The last arc is the index of the interface, or the 0 of a scalar.
        let (column, row) = oid.rsplit_once('.').unwrap_or((oid, "0"));
        let kind = if column.ends_with(".31.1.1.1.1") || column.ends_with(".31.1.1.1.18") {
            "DisplayString"
        } else {
            "gauge"
        };
        let _ = write!(
            text,
            "  - name: v{n}\n    oid: {}\n    type: {kind}\n    help: an object of the poll\n",
            if row == "0" { oid } else { column }
        );
        if row != "0" {
            text += "    indexes:\n    - labelname: ifIndex\n      type: gauge\n";
        }
    }
    let file = folder.join("snmp.yml");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let port = 19_116;
    let words = [
        format!("--config.file={}", file.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let mut exporter = Program::foreign("snmp_exporter", program, &words, folder)?;
    let begun = Instant::now();
    while get(port, "/metrics", Duration::from_secs(1)).is_err() {
        exporter.running()?;
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(format!("snmp_exporter does not listen: {}", exporter.last_words()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((exporter, port))
}

/// Scrapes `targets` agents evenly over each interval for `seconds`; the number of scrapes, and of those that gave all objects.
pub(crate) fn scrape(
    port: u16,
    objects: usize,
    targets: u32,
    interval_s: u32,
    seconds: u64,
) -> Result<(u64, u64), String> {
    let (begun, mut done, mut whole) = (Instant::now(), 0u64, 0u64);
    let pause = Duration::from_secs(u64::from(interval_s)) / targets;
    while begun.elapsed() < Duration::from_secs(seconds) {
        let who = (done % u64::from(targets)) as u32;
        let body = get(
            port,
            &format!("/snmp?module=fleet&target={}:{PORT}", address(who)),
            Duration::from_secs(10),
        )?;
        let values = body
            .lines()
            .filter(|l| l.starts_with('v') && !l.starts_with("v0_"))
            .count();
        done += 1;
        whole += u64::from(values >= objects);
        std::thread::sleep((pause * (done as u32)).saturating_sub(begun.elapsed()));
    }
    Ok((done, whole))
}

/// A file with an address a line, for fping.
pub(crate) fn address_list(targets: u32, folder: &Path) -> Result<PathBuf, String> {
    let file = folder.join("addresses");
    let text: String = (0..targets).map(|i| format!("{}\n", address(i))).collect();
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(file)
}
