//! The demo's configuration: a small operator's network, with short times so that the story fits into a minute and a half.

use super::network::COMMUNITY;
use super::relay::{Relay, certs};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Password of the relay on the out-of-band way.
pub(crate) const PASSWORD: &str = "out-of-band";

/// Name and address of every device.
pub(crate) const DEVICES: [(&str, &str); 5] = [
    ("edge-a", "127.82.0.11"),
    ("edge-b", "127.82.0.12"),
    ("agg-1", "127.82.0.21"),
    ("platform-pe-1", "127.82.1.1"),
    ("office-gw", "127.82.2.1"),
];

/// A folder of our own that goes when we go.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn make() -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("hinomi-demo-{}", std::process::id()));
        // Left by a demo that was killed and had the same process id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes the configuration (readable by the owner only: it holds secrets) and the authority of the out-of-band relay.
pub(crate) fn write(
    folder: &Path,
    snmp_port: u16,
    listen_port: u16,
    office: &Relay,
    lte: &Relay,
    japanese: bool,
) -> Result<PathBuf, String> {
    certs::write_ca(&folder.join("ca.pem"));
    let path = folder.join("hinomi.toml");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let text = text(snmp_port, listen_port, office.port(), lte.port(), japanese);
    file.and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

fn text(snmp: u16, listen: u16, office: u16, lte: u16, japanese: bool) -> String {
    let language = if japanese { "ja" } else { "en" };
    format!(
        r#"# Written by the demo. Times are short here: a real site polls every 10 to 60 s.
[operator]
name     = "Example Medical Network K.K."
language = "{language}"
timezone = "Asia/Tokyo"

[daemon]
state   = "state"
listen  = "127.0.0.1:{listen}"
uplinks = ["127.82.0.11", "127.82.0.12"]

[poll]
interval = "1s"
timeout  = "500ms"
confirm  = {{ echoes = 3, over = "1s" }}
recover  = {{ rounds = 3, over = "3s" }}

[snmp.demo]
version   = "2c"
community = "{COMMUNITY}"
port      = {snmp}

[thresholds]
cpu = {{ warning = "70 %", critical = "90 %", for = "3s" }}

[findings]
platform-down = {{ level = "critical", after = "34s" }}   # the second witness needs 30 s of counters

[group.all]                # an unprivileged host may not send echo: liveness by SNMP
snmp     = "demo"
liveness = "snmp"

[[device]]
name       = "edge-a"
group      = "all"
address    = "127.82.0.11"
site       = "tokyo"
interfaces = ["xe-0/0/*"]

[[device]]
name       = "edge-b"
group      = "all"
address    = "127.82.0.12"
site       = "osaka"
interfaces = ["xe-0/0/*"]

[[device]]
name    = "agg-1"
group   = "all"
address = "127.82.0.21"
site    = "tokyo"
parents = ["edge-a", "edge-b"]

[[device]]                 # one device past the demarcation point
name        = "platform-pe-1"
group       = "all"
address     = "127.82.1.1"
owner       = "platform"
demarcation = {{ device = "edge-a", interface = "xe-0/0/0" }}

[[device]]                 # reached through the platform, and so is the office relay
name    = "office-gw"
group   = "all"
address = "127.82.2.1"
site    = "office"
parents = ["platform-pe-1"]

[[contact]]
name  = "noc"
party = "own"
mail  = ["noc@mobile.example.org"]

[[contact]]
name  = "manager"
party = "own"
role  = "operations general manager"
mail  = ["manager@mobile.example.org"]

[[procedure]]
name  = "critical"
match = {{ level = "critical" }}
tell  = ["noc", "manager"]

[[procedure]]
name  = "warning"
match = {{ level = "warning" }}
tell  = ["noc"]

[[route]]
name    = "office"
smtp    = "smtp://127.0.0.1:{office}"
tls     = "none"
from    = "hinomi@example.net"
helo    = "hinomi-1.example.net"
crosses = ["platform-pe-1"]

[[route]]
name        = "lte"
out_of_band = true
smtp        = "smtp://127.0.0.1:{lte}"
tls         = "starttls"
tls_name    = "{name}"
tls_ca      = "ca.pem"
user        = "hinomi"
password    = "{PASSWORD}"
from        = "hinomi@example.org"
helo        = "hinomi-1.example.net"
"#,
        name = certs::NAME,
    )
}
