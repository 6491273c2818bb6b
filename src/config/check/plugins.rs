//! `[plugins]`: the helper that runs the commands of watches.
//!
//! Never here: the commands (they stand in `watch`).

use crate::config::reader::Walk;
use crate::config::values::refuse;
use crate::model::PluginSettings;
use std::path::PathBuf;

/// Longest path of a Unix socket.
const LONGEST: usize = 107;

/// `[plugins]`; what is not written has its default.
pub(super) fn plugins(top: &Walk<'_>) -> PluginSettings {
    let default = PluginSettings::default();
    let Some(entry) = top.get("plugins") else {
        return default;
    };
    let Some(walk) = Walk::of(top.ctx, &entry.node, "[plugins]", "write a section: [plugins]") else {
        return default;
    };
    let socket = walk.text("socket", |s| {
        match s.starts_with('/') && s.len() <= LONGEST && !s.contains('\0') {
            true => Ok(PathBuf::from(s)),
            false => refuse(
                "is not the absolute path of a socket, of at most 107 octets",
                "such as \"/run/hinomi-plugins/socket\"",
            ),
        }
    });
    let at_once = walk.number("at_once", 1..=64);
    walk.finish();
    PluginSettings {
        socket: socket.map_or(default.socket, |s| s.value),
        at_once: at_once.map_or(default.at_once, |n| n.value),
    }
}
