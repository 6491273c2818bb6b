//! The words of a new configuration, and what to do after it is written.

use super::{ALL_OPTIONS, Language, Named, Options};
use std::fmt::Write;

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The whole file.
pub(super) fn configuration(options: &Options) -> String {
    let mut text = format!(
        "# Written by `hinomi init`. Every option with its default: {ALL_OPTIONS}\n\
         # After each change: hinomi check && systemctl reload hinomi\n"
    );
    operator(options, &mut text);
    own_devices(options, &mut text);
    platform(options, &mut text);
    told(options, &mut text);
    routes(options, &mut text);
    text
}

// Writing into a String cannot fail, here and below.
fn operator(options: &Options, text: &mut String) {
    let name = options.operator.as_deref().unwrap_or_default();
    let language = match options.language {
        Some(Language::En) => "en",
        _ => "ja",
    };
    let zone = options.timezone.as_deref().unwrap_or("Asia/Tokyo");
    let _ = writeln!(
        text,
        "\n[operator]\nname     = {}\nlanguage = \"{language}\"            # of mails: \"ja\" or \"en\"\ntimezone = {}",
        quoted(name),
        quoted(zone)
    );
    let edge = options.devices.first().map(|d| d.address.as_str());
    let uplinks: Vec<String> = options.gateway.as_deref().into_iter().chain(edge).map(quoted).collect();
    if options.gateway.is_some() {
        let _ = writeln!(
            text,
            "\n[daemon]\n# If all of these are silent, this host itself is cut off, and no device is called down.\nuplinks = [{}]",
            uplinks.join(", ")
        );
    }
}

fn own_devices(options: &Options, text: &mut String) {
    if let Some(name) = &options.snmp {
        let _ = writeln!(
            text,
            "\n# The community stands in /etc/hinomi/secrets/{name}.\n[snmp.core]\nversion   = \"2c\"\n\
             community = {{ credential = {} }}\n\n[thresholds]\n\
             cpu         = {{ warning = \"70 %\", critical = \"90 %\", for = \"3m\" }}\n\
             utilization = {{ warning = \"70 %\", critical = \"90 %\", for = \"5m\" }}",
            quoted(name)
        );
    }
    for (i, device) in options.devices.iter().enumerate() {
        let _ = writeln!(
            text,
            "\n[[device]]\nname    = {}\naddress = {}",
            quoted(&device.name),
            quoted(&device.address)
        );
        if options.snmp.is_some() {
            let _ = writeln!(text, "snmp    = \"core\"");
        }
        match (i, options.devices.first()) {
            (0, _) => edge(options, text),
            (_, Some(edge)) => {
                let _ = writeln!(
                    text,
                    "parents = [{}]            # what lies between this host and it; several are several ways",
                    quoted(&edge.name)
                );
            }
            (_, None) => {}
        }
    }
}

/// Ports of the edge. `hinomi discover` prints those of a device.
fn edge(options: &Options, text: &mut String) {
    match (&options.snmp, &options.demarcation) {
        (Some(_), Some(port)) => {
            let _ = writeln!(text, "interfaces = [{}]", quoted(port));
        }
        (Some(_), None) => {
            let _ = writeln!(
                text,
                "#interfaces = [\"xe-0/0/0\"]  # ports to watch; hinomi discover prints them"
            );
        }
        (None, _) => {}
    }
}

fn platform(options: &Options, text: &mut String) {
    let Some(Named { name, address }) = &options.platform else {
        return;
    };
    let _ = writeln!(
        text,
        "\n# Past the demarcation point: its silence, with a second witness, is the platform's fault.\n[[device]]\n\
         name        = {}\naddress     = {}\nowner       = \"platform\"",
        quoted(name),
        quoted(address)
    );
    if let (Some(port), Some(edge)) = (&options.demarcation, options.devices.first()) {
        let _ = writeln!(
            text,
            "demarcation = {{ device = {}, interface = {} }}",
            quoted(&edge.name),
            quoted(port)
        );
    }
}

fn told(options: &Options, text: &mut String) {
    let mail: Vec<String> = options.mail.iter().map(|a| quoted(a)).collect();
    let _ = writeln!(
        text,
        "\n[[contact]]\nname  = \"noc\"\nparty = \"own\"\nmail  = [{}]\n\n[[procedure]]\nname   = \"everything\"\n\
         tell   = [\"noc\"]\nremind = \"4h\"                # again, until somebody acknowledges: hinomi incidents ack NUMBER",
        mail.join(", ")
    );
}

fn routes(options: &Options, text: &mut String) {
    let domain = options.mail.first().and_then(|a| a.rsplit_once('@')).map(|(_, at)| at);
    let from = match (&options.from, domain) {
        (Some(from), _) => from.clone(),
        (None, domain) => format!("hinomi@{}", domain.unwrap_or("localhost")),
    };
    let plain = if options.plaintext {
        "tls  = \"none\"              # only for a relay on this host\n"
    } else {
        ""
    };
    let relay = options.relay.as_deref().unwrap_or_default();
    let _ = write!(
        text,
        "\n[[route]]\nname = \"office\"\nsmtp = {}\n{plain}from = {}\n",
        quoted(relay),
        quoted(&from)
    );
    user(options.relay_user.as_deref(), "smtp-office", text);
    let crossed: Vec<String> = options
        .devices
        .first()
        .into_iter()
        .chain(&options.platform)
        .map(|d| quoted(&d.name))
        .collect();
    let _ = writeln!(
        text,
        "crosses = [{}]            # this way fails with them: mails about them go out another way first",
        crossed.join(", ")
    );
    let Some(relay) = &options.oob_relay else {
        text.push_str(
            "\n# A second way over another network (LTE) is what gets the mail out when the platform is down:\n#[[route]]\n\
             #name        = \"lte\"\n#out_of_band = true\n#smtp        = \"smtp://203.0.113.25\"\n\
             #bind        = { device = \"wwan0\" }\n#from        = \"hinomi@example.org\"\n",
        );
        return;
    };
    let _ = write!(
        text,
        "\n[[route]]\nname = \"oob\"\nout_of_band = true         # uses neither the own network nor the platform\n\
         smtp = {}\n{plain}from = {}\n",
        quoted(relay),
        quoted(&from)
    );
    for (key, value) in [("tls_name", &options.oob_tls_name)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
    }
    if let Some(device) = &options.oob_device {
        let _ = writeln!(text, "bind = {{ device = {} }}", quoted(device));
    }
    user(options.oob_user.as_deref(), "smtp-oob", text);
}

fn user(user: Option<&str>, credential: &str, text: &mut String) {
    if let Some(user) = user {
        let _ = writeln!(
            text,
            "user = {}\npassword = {{ credential = \"{credential}\" }}",
            quoted(user)
        );
    }
}

/// What is to be done until the service runs.
pub(super) fn next_steps(options: &Options) -> String {
    let mut text = String::from("\nNext:\n");
    let secrets = [
        (options.snmp.as_deref(), "SNMP community"),
        (
            options.relay_user.as_ref().map(|_| "smtp-office"),
            "password at the office relay",
        ),
        (
            options.oob_user.as_ref().map(|_| "smtp-oob"),
            "password at the out-of-band relay",
        ),
    ];
    for (name, what) in secrets.iter().filter_map(|(name, what)| Some(((*name)?, what))) {
        let _ = writeln!(
            text,
            "  (umask 077; systemd-ask-password -n '{what}:' > /etc/hinomi/secrets/{name})"
        );
    }
    let config = match options.config.to_str() {
        Some(super::super::DEFAULT_CONFIG) | None => String::new(),
        Some(other) => format!(" --config {other}"),
    };
    let to = options.mail.first().map_or("noc@example.net", String::as_str);
    let _ = write!(
        text,
        "  hinomi check{config} && hinomi route-test --to {to}{config}\n  systemctl enable --now hinomi\n  hinomi status{config}\n"
    );
    text
}
