//! The service as the README installs it, under a real systemd: credentials, the socket for traps, the helper of
//! plugins, reloads good and bad, the watchdog, restarts, and the mail of the alarm unit, accepted by a real relay.

use crate::debian::{Debian, RELAY};
use crate::mailbox::Mailbox;
use crate::parts::Folder;
use crate::runner::{Tale, ensure};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The full name of the host: EHLO gives it.
const HOST: &str = "mon.hst.example";

const CONFIG: &str = r#"
operator.name     = "Lab"
operator.language = "en"
operator.timezone = "Asia/Tokyo"
traps.listen      = "systemd"
snmp.core         = { version = "2c", community = { credential = "snmp-core" } }
thresholds.load5  = { warning = 90.0, critical = 95.0 }
contact           = [{ name = "noc", party = "own", mail = ["noc@example.net"] }]
procedure         = [{ name = "everything", tell = ["noc"] }]

[poll]
interval = "2s"

[[device]]
name    = "host"
address = "127.0.0.1"
snmp    = "core"
watch   = [
  { command = ["/usr/lib/nagios/plugins/check_load", "-w", "900,900,900", "-c", "950,950,950"], name = "load", interval = "5s" },
  { command = ["/usr/lib/nagios/plugins/check_tcp", "-H", "127.0.0.1", "-p", "2525"], name = "relay", interval = "5s" },
  { command = ["/usr/bin/id", "-un"], name = "who", interval = "5s" },
]

[[route]]
name = "office"
smtp = "smtp://127.0.0.1:2525"
tls  = "none"
from = "hinomi@example.net"

[[route]]
name        = "lte"
out_of_band = true
smtp        = "smtp://127.0.0.1:2525"
tls         = "none"
from        = "hinomi@example.org"
"#;

/// The secret as root keeps it; both units load its folder.
const CREDENTIALS: &str = r#"
umask 077
printf a-credential > /etc/hinomi/secrets/snmp-core
"#;

/// As the unit's own comment says for check_load and its kin.
const DROP_IN: &str = r#"
mkdir -p /etc/systemd/system/hinomi-plugins.service.d
printf '[Service]\nProcSubset=all\n' > /etc/systemd/system/hinomi-plugins.service.d/proc.conf
systemctl daemon-reload
systemctl restart hinomi-plugins
"#;

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let folder = Folder::new(tale.name)?;
    let mails = folder.path().join("mail");
    std::fs::create_dir(&mails).map_err(|e| format!("{}: {e}", mails.display()))?;
    crate::net::run("chmod", &["1777", &mails.display().to_string()])?;
    folder.write("hinomi.toml", CONFIG)?;
    let binds = [
        format!("--bind={}:/story", folder.path().display()),
        format!("--bind-ro={}:/source", env!("CARGO_MANIFEST_DIR")),
        format!("--bind-ro={}:/build/hinomi", env!("CARGO_BIN_EXE_hinomi")),
    ];
    let debian = Debian::boot(&folder, &binds)?;
    tale.say("a Debian with systemd is up");
    debian.run(RELAY)?;
    install(tale, &debian)?;
    starts(tale, &debian)?;
    plugins(tale, &debian)?;
    reloads(tale, &debian)?;
    let relay = Mailbox::new(&mails);
    watchdog(tale, &debian, &relay)?;
    killed(tale, &debian)?;
    debian.run("systemctl stop hinomi-traps.socket hinomi")?;
    let status = debian.run("systemctl show -p Result,ActiveState hinomi")?;
    ensure(
        status.contains("ActiveState=inactive") && status.contains("Result=success"),
        || format!("a stop that was asked for: {status}"),
    )?;
    ensure(relay.all().len() == 1, || {
        format!("one alarm was expected, not {}", relay.all().len())
    })
}

/// As the README says, with the secrets of the site.
fn install(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("/source/systemd/install /build/hinomi")?;
    debian.run(CREDENTIALS)?;
    debian.run("install -m 640 -g hinomi /story/hinomi.toml /etc/hinomi/hinomi.toml")?;
    let symbols =
        debian.run("readelf -S /usr/bin/hinomi; stat -c %s /usr/bin/hinomi /usr/lib/debug/usr/bin/hinomi.debug")?;
    ensure(
        !symbols.contains(".debug_info") && symbols.contains(".gnu_debuglink"),
        || format!("the installed binary is stripped and names its symbols: {symbols}"),
    )?;
    let sizes: Vec<&str> = symbols.lines().rev().take(2).collect();
    tale.say(format!("installed; octets of symbols and binary: {}", sizes.join(", ")));
    Ok(())
}

fn starts(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("systemctl enable --now hinomi-traps.socket hinomi")?;
    // Only with the community from the credential does the agent answer.
    debian.wait("hinomi explain host", SECOND * 40, |text| text.contains("load5"))?;
    let told = debian.run("systemctl show -p ActiveState,SubState,StatusText hinomi")?;
    ensure(
        told.contains("SubState=running") && told.contains("StatusText="),
        || told.clone(),
    )?;
    debian.run("snmptrap -v 2c -c a-credential 127.0.0.1:162 '' 1.3.6.1.6.3.1.1.5.1")?;
    debian.wait("hinomi explain host", SECOND * 20, |text| {
        text.contains("Traps") && text.contains("cold")
    })?;
    tale.say("started, reads its credential, hears traps on port 162");
    Ok(())
}

/// The helper of plugins, as the README starts it: a real plugin is read, and what runs it is the helper's user, not the daemon's.
fn plugins(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("systemctl enable --now hinomi-plugins && systemctl restart hinomi")?;
    let explained = debian.wait("hinomi explain host", SECOND * 60, |text| {
        text.contains("second response time") && text.contains("OK: hinomi-plugins")
    })?;
    // The unit hides what this plugin reads, and says so in its comment, with the drop-in that changes it.
    ensure(explained.contains("could not parse load"), || {
        format!("check_load reads what the unit hides: {explained}")
    })?;
    debian.run(DROP_IN)?;
    let explained = debian.wait("hinomi explain host", SECOND * 60, |text| text.contains("load average"))?;
    let of_plugins = ["second response time", "load average", "OK: hinomi-plugins"];
    for line in explained
        .lines()
        .filter(|l| of_plugins.iter().any(|word| l.contains(word)))
    {
        tale.say(format!("a plugin under its unit: {}", line.trim()));
    }
    Ok(())
}

fn reloads(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("sed -i 's/warning = 90.0/warning = 80.0/' /etc/hinomi/hinomi.toml && systemctl reload hinomi")?;
    debian.run("sed -i 's/^interval = \"2s\"/interwal = \"2s\"/' /etc/hinomi/hinomi.toml")?;
    ensure(debian.run("systemctl reload hinomi").is_err(), || {
        "a reload of a file with a mistake is refused".to_owned()
    })?;
    debian.wait("journalctl -u hinomi --no-pager -o cat", SECOND * 10, |log| {
        log.contains("interwal")
    })?;
    let state = debian.run("systemctl is-active hinomi; hinomi explain host")?;
    ensure(state.starts_with("active") && state.contains("load5"), || state.clone())?;
    debian.run("sed -i 's/^interwal/interval/' /etc/hinomi/hinomi.toml && systemctl reload hinomi")?;
    tale.say("a good file is taken, a bad one is refused and the old one runs on");
    Ok(())
}

/// A stopped process makes no progress: systemd ends it, starts it again, and the alarm unit mails.
fn watchdog(tale: &Tale, debian: &Debian, relay: &Mailbox) -> Result<(), String> {
    let before = main_pid(debian)?;
    debian.run(&format!("kill -STOP {before}"))?;
    let stopped = tale.seconds();
    debian.wait("systemctl show -p MainPID,SubState hinomi", SECOND * 70, |text| {
        text.contains("SubState=running") && !text.contains(&format!("MainPID={before}\n"))
    })?;
    tale.say(format!(
        "ended by the watchdog and started again {:.0} s after SIGSTOP",
        tale.seconds() - stopped
    ));
    let alarm = relay.wait("the mail of the alarm unit", SECOND * 60, |mails| {
        mails.first().cloned()
    })?;
    tale.say(alarm.brief());
    ensure(alarm.says("hinomi.service"), || {
        format!("the alarm names the unit: {}", alarm.body)
    })?;
    let received = alarm.header("Received").to_owned();
    ensure(received.contains(HOST), || {
        format!("EHLO gives the name of the host: {received}")
    })?;
    // The daemon's own way out, under its sandbox, says the same.
    debian.wait(
        "journalctl -u opensmtpd --no-pager -o cat; hinomi status",
        SECOND * 30,
        |text| text.contains("lte"),
    )?;
    debian
        .wait("hinomi explain host", SECOND * 40, |text| text.contains("load5"))
        .map(|_| ())
}

fn killed(tale: &Tale, debian: &Debian) -> Result<(), String> {
    let before = main_pid(debian)?;
    debian.run(&format!("kill -KILL {before}"))?;
    debian.wait("systemctl show -p MainPID,SubState hinomi", SECOND * 30, |text| {
        text.contains("SubState=running") && !text.contains(&format!("MainPID={before}\n"))
    })?;
    debian.wait("hinomi status", SECOND * 20, |text| text.contains("host"))?;
    tale.say("killed and started again");
    Ok(())
}

fn main_pid(debian: &Debian) -> Result<String, String> {
    Ok(debian
        .run("systemctl show -p MainPID --value hinomi")?
        .trim()
        .to_owned())
}
