//! Windows that an operator sets or ends while hinomi runs.
//!
//! Never here: what a window keeps quiet (that is `notify::mute`), windows of the configuration.

use super::Core;
use super::commits::Ordered;
use super::tape::Took;
use crate::incident::EventBody;
use crate::model::maintenance::{LONGEST, subject};
use crate::model::text::signature;
use crate::model::{Name, Now, Window};
use crate::notify::text;
use serde::{Deserialize, Serialize};

/// What an operator wants of maintenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaintenanceOrder {
    /// Set a window.
    Set(Window),
    /// End one now, or take it back.
    End {
        /// Its name.
        name: Name,
        /// Who says so.
        by: String,
    },
}

impl Core {
    /// Sets or ends a maintenance window, or says why not.
    pub fn maintain(&mut self, order: MaintenanceOrder, now: Now) -> Result<(), String> {
        let took = self.tape.as_ref().map(|_| Took::Maintenance(order.clone()));
        let due = self.is_due(now);
        let name = match &order {
            MaintenanceOrder::Set(window) => window.name.clone(),
            MaintenanceOrder::End { name, .. } => name.clone(),
        };
        let result = self.ordered(order, now);
        self.turn(now);
        if result.is_ok() {
            self.commits.ordered(Ordered::Window(name));
        }
        self.turned(took, due, now);
        result
    }

    pub(super) fn ordered(&mut self, order: MaintenanceOrder, now: Now) -> Result<(), String> {
        let windows = &self.book.state().windows;
        let runs = |name: &Name| windows.iter().any(|w| w.name == *name && w.end > now.wall);
        let of_file = |name: &Name| self.site.maintenance.iter().any(|m| m.name == *name);
        match order {
            MaintenanceOrder::Set(window) => {
                if runs(&window.name) || of_file(&window.name) {
                    return Err(format!(
                        "there is a window \"{}\" already: take another name",
                        window.name
                    ));
                }
                if let Some(word) = window.what.iter().find(|w| subject(&self.site.devices, w).is_none()) {
                    return Err(format!("nothing that is watched is called \"{word}\""));
                }
                if window.what.is_empty() {
                    return Err(
                        "the window names nothing: say what is worked on, for example --what edge-a".to_owned(),
                    );
                }
                let moment = |at| text::moment(at, &self.site.operator);
                if window.end <= window.start {
                    return Err(format!(
                        "the window ends {}, before it begins ({}): look at --start and --end",
                        moment(window.end),
                        moment(window.start)
                    ));
                }
                if window.end <= now.wall {
                    return Err(format!(
                        "the window lies in the past: it ended {}, and it is {} now. It would keep nothing quiet",
                        moment(window.end),
                        moment(now.wall)
                    ));
                }
                if window.end.since(window.start) > LONGEST {
                    return Err(format!(
                        "the window is longer than {} days, the most there is: give an end, or a length such as --for 2h",
                        LONGEST.as_secs() / 86_400
                    ));
                }
                self.book.record(None, EventBody::MaintenanceSet { window }, now);
            }
            MaintenanceOrder::End { name, by } => {
                if of_file(&name) {
                    return Err(format!(
                        "\"{name}\" stands in the configuration: change it there and reload"
                    ));
                }
                if !runs(&name) {
                    return Err(format!(
                        "no window \"{name}\" is in force or to come; see `hinomi maintenance list`"
                    ));
                }
                let by = signature(&by);
                self.book
                    .record(None, EventBody::MaintenanceEnded { window: name, by }, now);
            }
        }
        Ok(())
    }
}
