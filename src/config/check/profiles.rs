//! `[profiles]`: vendor profiles of the site's own, which add to those built in or replace them by name.

use super::operator::path;
use crate::config::reader::Walk;
use crate::config::{Problem, SourceFile, profile};
use crate::model::Profile;

/// What came of the site's folder.
#[derive(Default)]
pub(super) struct Own {
    pub(super) profiles: Vec<Profile>,
    pub(super) files: Vec<SourceFile>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the site's own profiles; they are needed before any device is read.
pub(super) fn own(top: &Walk<'_>) -> Own {
    let Some(folder) = section(top) else {
        return Own::default();
    };
    match top.ctx.around.profiles(&folder.value) {
        Ok(files) => {
            let (profiles, problems) = profile::read(&files, top.ctx.around);
            Own {
                profiles,
                files,
                problems,
            }
        }
        Err(missing) => {
            let what = format!("`directory` {}", missing.what);
            top.ctx.error(folder.at, what, missing.hint);
            Own::default()
        }
    }
}

/// The folder that `[profiles]` names.
pub(super) fn section(top: &Walk<'_>) -> Option<crate::config::raw::At<std::path::PathBuf>> {
    let entry = top.get("profiles")?;
    let hint = "write a section: [profiles]";
    let walk = Walk::of(top.ctx, &entry.node, "[profiles]", hint)?;
    let folder = walk.required(
        "directory",
        "the folder with the profile files",
        path(&walk, "directory"),
    );
    walk.finish();
    folder
}
