//! From nothing but the package and the README to a running service, and back: installed, configured by `hinomi init`, a secret, started, a
//! fault, its mail, an acknowledgement with the command of the mail, planned work, reload, upgrade, removal. Under a real systemd.

use crate::debian::{Debian, RELAY};
use crate::mailbox::{Mail, Mailbox};
use crate::parts::Folder;
use crate::runner::{Tale, ensure};
use std::path::Path;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What a person types after the questions; the lab's one host is its own network.
const INIT: &str = "hinomi init --operator Lab --language en --device host=127.0.0.1 --snmp snmp-core --mail noc@example.net \
                    --relay smtp://127.0.0.1:2525 --oob-relay smtp://127.0.0.1:2525 --plaintext";

/// Quicker than the defaults, in the place for further files.
const QUICK: &str = "[poll]\ninterval = \"3s\"\ntimeout = \"1s\"\nconfirm = { echoes = 5, over = \"3s\" }\nrecover = { rounds = 2, over = \"5s\" }\n";

pub(crate) fn run(tale: &mut Tale) -> Result<(), String> {
    let folder = Folder::new(tale.name)?;
    let mails = folder.path().join("mail");
    std::fs::create_dir(&mails).map_err(|e| format!("{}: {e}", mails.display()))?;
    crate::net::run("chmod", &["1777", &mails.display().to_string()])?;
    let package = package(folder.path())?;
    tale.say(format!("made {package}"));
    let debian = Debian::boot(&folder, &[format!("--bind={}:/story", folder.path().display())])?;
    debian.run(RELAY)?;
    let relay = Mailbox::new(&mails);
    installed(tale, &debian, &package)?;
    started(tale, &debian)?;
    alarmed(tale, &debian, &relay)?;
    fault(tale, &debian, &relay)?;
    planned(tale, &debian)?;
    kept_going(tale, &debian, &package)?;
    removed(tale, &debian)
}

/// The package of the build that this lab is of.
fn package(folder: &Path) -> Result<String, String> {
    let line = format!(
        "CARGO_NET_OFFLINE=true HINOMI_BINARY='{}' '{}/systemd/deb/make' '{}'",
        env!("CARGO_BIN_EXE_hinomi"),
        env!("CARGO_MANIFEST_DIR"),
        folder.display()
    );
    let made = crate::net::output("sh", &["-ec", &line])?;
    let path = made.lines().last().map(Path::new).and_then(Path::file_name);
    let name = path
        .and_then(|n| n.to_str())
        .ok_or_else(|| format!("no package: {made}"))?;
    Ok(name.to_owned())
}

fn installed(tale: &Tale, debian: &Debian, package: &str) -> Result<(), String> {
    let said = debian.run(&format!(
        "apt-get install -y --no-install-recommends /story/{package} 2>&1"
    ))?;
    ensure(said.contains("hinomi init"), || {
        format!("the package says what comes next: {said}")
    })?;
    debian.run(
        "test -s /usr/share/man/man1/hinomi-incidents-ack.1.gz -a -s /usr/share/bash-completion/completions/hinomi \
         -a -s /usr/share/doc/hinomi/hinomi.toml && id hinomi",
    )?;
    // The service is not started before there is a configuration.
    debian.run("! systemctl is-active hinomi")?;
    let init = debian.run(INIT)?;
    ensure(init.contains("/etc/hinomi/secrets/snmp-core"), || {
        format!("init names the secrets: {init}")
    })?;
    ensure(debian.run(INIT).is_err(), || {
        "a second init overwrites nothing".to_owned()
    })?;
    let without = debian.run("hinomi check 2>&1 || true")?;
    ensure(without.contains("systemd-ask-password"), || {
        format!("the command that puts the secret in place is said: {without}")
    })?;
    debian.run("(umask 077; printf a-credential > /etc/hinomi/secrets/snmp-core)")?;
    debian.run(&format!(
        "install -d /etc/hinomi/conf.d && printf '%s' '{QUICK}' > /etc/hinomi/conf.d/lab.toml"
    ))?;
    tale.say("installed, configured by hinomi init, the secret in place");
    Ok(())
}

/// The README's own lines.
fn started(tale: &Tale, debian: &Debian) -> Result<(), String> {
    let test = debian.run("hinomi check && hinomi route-test --to noc@example.net")?;
    ensure(test.matches("accepted by").count() == 2, || {
        format!("both routes are tried from a shell: {test}")
    })?;
    debian.run("systemctl enable --now hinomi && hinomi status")?;
    // Only with the community from the credential does the agent answer.
    debian.wait("hinomi explain host", SECOND * 60, |text| text.contains("uptime"))?;
    let probe = debian.run("hinomi probe host")?;
    ensure(probe.contains("uptime"), || {
        format!("probe has the unit's credential, too: {probe}")
    })?;
    let root = debian.run("hinomi run 2>&1 || true")?;
    ensure(root.contains("systemctl start hinomi"), || {
        format!("root by hand would leave files that the service cannot open: {root}")
    })?;
    let files = debian.run("find /var/lib/hinomi -user root")?;
    ensure(files.is_empty(), || format!("root left files: {files}"))?;
    tale.say("checked, both routes tested, started; it reads its credential, and root leaves nothing");
    Ok(())
}

/// The alarm unit reads the same secrets.
fn alarmed(tale: &Tale, debian: &Debian, relay: &Mailbox) -> Result<(), String> {
    debian.run("systemctl start hinomi-alarm@hinomi.service.service")?;
    let alarm = relay.wait("the mail of the alarm unit", SECOND * 60, |mails| {
        about(mails, "not watching")
    })?;
    ensure(!alarm.says("configuration has errors"), || {
        format!("the alarm unit has the credentials: {}", alarm.body)
    })?;
    tale.say(alarm.brief());
    Ok(())
}

fn about(mails: &[Mail], words: &str) -> Option<Mail> {
    mails.iter().find(|m| m.says(words)).cloned()
}

/// No echo is answered any more: the mail comes, and its command acknowledges.
fn fault(tale: &Tale, debian: &Debian, relay: &Mailbox) -> Result<(), String> {
    debian.wait("hinomi status", SECOND * 60, |text| text.contains(" up "))?;
    debian.echoes(false)?;
    let began = tale.seconds();
    let mail = relay.wait("the mail of the fault", SECOND * 120, |mails| {
        about(mails, "[CRITICAL] #")
    })?;
    tale.say(format!(
        "{:.0} s after the fault: {}",
        tale.seconds() - began,
        mail.brief()
    ));
    let command = mail
        .body
        .lines()
        .find_map(|line| line.find("hinomi incidents ack").map(|at| line[at..].trim().to_owned()))
        .ok_or_else(|| format!("the mail hands out no command: {}", mail.body))?;
    let said = debian.run(&format!("SUDO_USER=tanaka {command}"))?;
    ensure(said.contains("acknowledged by tanaka"), || format!("{command}: {said}"))?;
    let list = debian.run("hinomi incidents list")?;
    ensure(list.contains("tanaka") && list.contains("CRITICAL"), || list.clone())?;
    tale.say(format!("acknowledged by the mail's own command: {command}"));
    debian.echoes(true)?;
    relay.wait("the mail of its end", SECOND * 120, |mails| {
        mails
            .iter()
            .find(|m| m.subject().to_lowercase().contains("recovered"))
            .cloned()
    })?;
    let list = debian.run("hinomi incidents list")?;
    ensure(list.contains("recovered") && list.contains("tanaka"), || {
        format!("who acknowledged stays: {list}")
    })
}

fn planned(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("hinomi maintenance add work --what host --for 2h")?;
    let list = debian.run("hinomi maintenance list")?;
    ensure(list.contains("work"), || list.clone())?;
    debian.run("hinomi maintenance end work")?;
    tale.say("planned work set and ended");
    Ok(())
}

/// A reload, and an upgrade to the same version.
fn kept_going(tale: &Tale, debian: &Debian, package: &str) -> Result<(), String> {
    debian.run(
        "sed -i 's/^interval = \"3s\"/interval = \"4s\"/' /etc/hinomi/conf.d/lab.toml && systemctl reload hinomi",
    )?;
    let before = pid(debian)?;
    let kept = debian.run("sha256sum /etc/hinomi/hinomi.toml")?;
    debian.run(&format!(
        "apt-get install -y --reinstall --no-install-recommends /story/{package}"
    ))?;
    debian.wait("systemctl is-active hinomi && hinomi status", SECOND * 60, |text| {
        text.contains("host")
    })?;
    ensure(pid(debian)? != before, || "an upgrade runs the new program".to_owned())?;
    ensure(debian.run("sha256sum /etc/hinomi/hinomi.toml")? == kept, || {
        "an upgrade leaves the configuration alone".to_owned()
    })?;
    let list = debian.run("hinomi incidents list --all")?;
    ensure(list.contains("#1 "), || format!("the ledger goes on: {list}"))?;
    tale.say("reloaded, upgraded to the same version, the ledger goes on");
    Ok(())
}

fn pid(debian: &Debian) -> Result<String, String> {
    debian.run("systemctl show -p MainPID --value hinomi")
}

fn removed(tale: &Tale, debian: &Debian) -> Result<(), String> {
    debian.run("apt-get remove -y hinomi")?;
    debian.run("! systemctl is-active hinomi; ! test -e /usr/bin/hinomi; test -s /etc/hinomi/hinomi.toml")?;
    let purged = debian.run("apt-get purge -y hinomi 2>&1")?;
    ensure(purged.contains("/var/lib/hinomi is kept"), || {
        format!("what is left is named: {purged}")
    })?;
    debian.run("test -s /var/lib/hinomi/ledger.db; ! test -e /usr/lib/systemd/system/hinomi.service")?;
    tale.say("removed and purged; configuration and ledger are kept and named");
    Ok(())
}
