//! The configurations of the stories, written as a NOC engineer would.

use crate::parts::{COMMUNITY, Folder, V3_AUTH, V3_PRIVACY, V3_USER};
use crate::world::{AGG, EDGE_A, EDGE_B, GW, INST1, INST2, OFFICE, OOB, PLATFORM, SMTP};
use std::fmt::Write;

/// What differs between the stories in the namespaces.
pub(crate) struct Choices {
    /// edge-a and agg speak SNMP.
    pub(crate) snmp: bool,
    /// The line of edge-a's poll interval and what else it has.
    pub(crate) edge_a: &'static str,
    /// `[thresholds]`, if any.
    pub(crate) thresholds: &'static str,
}

/// The site of `world`. Platform: 5 s interval, confirm over 10 s, delay 30 s, as promised in the README.
pub(crate) fn world(folder: &Folder, choices: &Choices) -> Result<String, String> {
    folder.secret("community", COMMUNITY)?;
    folder.secret("v3-auth", V3_AUTH)?;
    folder.secret("v3-privacy", V3_PRIVACY)?;
    let (v3, v2c) = match choices.snmp {
        true => (
            "snmp = \"v3\"\ninterfaces = [\"plat0\", \"up0\", \"agg0\"]\n",
            "snmp = \"v2c\"\n",
        ),
        false => ("", ""),
    };
    let state = folder.path().join("state").display().to_string();
    let (edge_a, thresholds) = (choices.edge_a, choices.thresholds);
    Ok(format!(
        r#"
[operator]
name     = "Example Medical Network K.K."
language = "ja"
timezone = "Asia/Tokyo"

[daemon]
state   = "{state}"
listen  = "127.0.0.1:9730"
uplinks = ["{GW}", "{EDGE_B}"]

[poll]
interval = "5s"
timeout  = "2s"
confirm  = {{ echoes = 15, over = "10s" }}
recover  = {{ rounds = 2, over = "10s" }}

[snmp.v3]
version = "3"
user    = "{V3_USER}"
auth    = {{ protocol = "sha256", password = {{ file = "v3-auth" }} }}
privacy = {{ protocol = "aes128", password = {{ file = "v3-privacy" }} }}

[snmp.v2c]
version   = "2c"
community = {{ file = "community" }}

{thresholds}

[[device]]
name    = "gw"
address = "{GW}"

[[device]]
name    = "edge-a"
address = "{EDGE_A}"
parents = ["gw"]
{v3}{edge_a}

[[device]]
name    = "edge-b"
address = "{EDGE_B}"
parents = ["gw"]

[[device]]
name        = "platform-pe"
address     = "{PLATFORM}"
owner       = "platform"
demarcation = {{ device = "edge-a", interface = "plat0" }}

[[device]]
name    = "agg"
address = "{AGG}"
parents = ["edge-a"]
{v2c}
[[device]]
name    = "inst-1"
address = "{INST1}"
owner   = "institution"
parents = ["agg"]

[[device]]
name    = "inst-2"
address = "{INST2}"
owner   = "institution"
parents = ["agg"]

[[contact]]
name  = "noc"
party = "own"
mail  = ["noc@example.net"]

[[contact]]
name     = "manager"
party    = "own"
role     = "operations general manager"
language = "en"
mail     = ["manager@example.net"]

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
smtp    = "smtp://{OFFICE}:{SMTP}"
tls     = "none"
from    = "hinomi@example.net"
crosses = ["platform-pe"]

[[route]]
name        = "lte"
out_of_band = true
smtp        = "smtp://{OOB}:{SMTP}"
tls         = "none"
bind        = {{ device = "wwan0" }}
from        = "hinomi@example.org"
"#
    ))
}

/// What differs between the stories on loopback.
pub(crate) struct Crowd<'a> {
    /// Names and addresses of the agents, without port.
    pub(crate) agents: &'a [(String, String)],
    pub(crate) agent_port: u16,
    pub(crate) relay_ports: [u16; 2],
    pub(crate) listen: u16,
    /// Seconds that a load must last.
    pub(crate) lasting: u32,
    /// More lines at the end.
    pub(crate) more: &'a str,
}

/// Many agents on loopback, asked every second; two relays, the second as the out-of-band way.
pub(crate) fn crowd(folder: &Folder, crowd: &Crowd<'_>) -> Result<String, String> {
    folder.secret("community", "lab")?;
    let state = folder.path().join("state").display().to_string();
    let Crowd {
        agent_port,
        relay_ports: [first, second],
        listen,
        lasting,
        ..
    } = crowd;
    let mut text = format!(
        r#"
[operator]
name     = "Example Medical Network K.K."
language = "ja"
timezone = "Asia/Tokyo"

[daemon]
state   = "{state}"
listen  = "127.0.0.1:{listen}"

[poll]
interval = "1s"
timeout  = "500ms"
confirm  = {{ echoes = 3, over = "3s" }}
recover  = {{ rounds = 2, over = "2s" }}

[snmp.lab]
version   = "2c"
community = {{ file = "community" }}
port      = {agent_port}

[thresholds]
cpu = {{ warning = "70 %", critical = "90 %", for = "{lasting}s" }}

[[contact]]
name  = "noc"
party = "own"
mail  = ["noc@example.net"]

[[procedure]]
name  = "critical"
match = {{ level = "critical" }}
tell  = ["noc"]

[[procedure]]
name  = "warning"
match = {{ level = "warning" }}
tell  = ["noc"]

[[route]]
name = "office"
smtp = "smtp://127.0.0.1:{first}"
tls  = "none"
from = "hinomi@example.net"

[[route]]
name        = "lte"
out_of_band = true
smtp        = "smtp://127.0.0.1:{second}"
tls         = "none"
from        = "hinomi@example.org"
"#
    );
    for (name, address) in crowd.agents {
        let _ = writeln!(
            text,
            "\n[[device]]\nname = \"{name}\"\naddress = \"{address}\"\nliveness = \"snmp\"\nsnmp = \"lab\"\nprofile = \"net-snmp\""
        );
    }
    text.push_str(crowd.more);
    Ok(text)
}
