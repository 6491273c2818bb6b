//! What a device itself says of its sensors: where one sits, and the limits that it has for it.
//!
//! Never here: an object identifier of a make; whether a level is told.

use super::words::{Phrase, Words};
use super::{Bound, Level, Threshold};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A limit of the device's own ends so far below its beginning where the site has no threshold to take the distance from.
const GAP: f64 = 3.0;

/// The device's own limits for one sensor, in the unit of what it measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// From here on the device warns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<f64>,
    /// From here on it takes itself for endangered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<f64>,
}

impl Limits {
    /// `None` if the device has no limit.
    pub fn new(warning: Option<f64>, critical: Option<f64>) -> Option<Limits> {
        let finite = |limit: Option<f64>| limit.filter(|l| l.is_finite());
        let limits = Limits {
            warning: finite(warning),
            critical: finite(critical),
        };
        (limits != Limits::default()).then_some(limits)
    }

    /// As a threshold, which holds as long and ends as far below as that of the site. A warning that does not lie below the critical
    /// limit says nothing.
    pub fn threshold(&self, like: &Threshold) -> Option<Threshold> {
        let gap = |level| {
            let other = || like.bound(Level::Warning).or(like.bound(Level::Critical));
            let bound = like.bound(level).or_else(other);
            bound.map_or(GAP, |b| b.raise() - b.clear())
        };
        let bound = |limit: Option<f64>, level| limit.and_then(|raise| Bound::new(raise, raise - gap(level)));
        let warning = self.warning.filter(|w| self.critical.is_none_or(|c| *w < c));
        Threshold::new(
            bound(warning, Level::Warning),
            bound(self.critical, Level::Critical),
            like.hold,
            like.clear_hold,
        )
    }
}

/// Where a temperature is measured: what is hot for the air of a room is cold for a chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// In the air, or on a board: the site's limits are made for these.
    #[default]
    Air,
    /// In a chip, which bears far more.
    Chip,
    /// In a transceiver.
    Transceiver,
}

/// Words of what sits in the air, whatever else the label says: `CPU inlet`.
const AIR: &[&str] = &[
    "inlet", "intake", "outlet", "exhaust", "ambient", "air", "inflow", "outflow",
];
/// Words of transceivers.
const TRANSCEIVER: &[&str] = &[
    "transceiver",
    "xcvr",
    "sfp",
    "sfpp",
    "qsfp",
    "xfp",
    "cfp",
    "osfp",
    "optic",
    "optical",
    "dom",
    "module temperature sensor",
    "laser",
];
/// Words of chips.
const CHIP: &[&str] = &[
    "asic",
    "die",
    "chip",
    "junction",
    "cpu",
    "npu",
    "gpu",
    "core",
    "phy",
    "fpga",
    "soc",
    "serdes",
    "pch",
    "dimm",
    "dram",
    "hbm",
    "vrm",
    "hotspot",
    "hot spot",
    "processor",
    "switch chip",
    "jericho",
    "tomahawk",
    "trident",
    "qumran",
    "arad",
    "ramon",
    "uadp",
    "doppler",
    "macsec",
    "dts",
];

static PLACES: LazyLock<[(Place, Vec<Phrase>); 3]> = LazyLock::new(|| {
    let phrases = |words: &[&str]| words.iter().filter_map(|w| Phrase::new(w)).collect();
    [
        (Place::Air, phrases(AIR)),
        (Place::Transceiver, phrases(TRANSCEIVER)),
        (Place::Chip, phrases(CHIP)),
    ]
});

impl Place {
    /// By what the sensor is called.
    pub fn of(label: &str) -> Place {
        let words = Words::of(label);
        let fits = |(_, phrases): &&(Place, Vec<Phrase>)| phrases.iter().any(|p| p.is_in(&words));
        PLACES.iter().find(fits).map_or(Place::Air, |(place, _)| *place)
    }

    /// The usual place, which is not written down.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    pub fn is_air(&self) -> bool {
        *self == Place::Air
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sensors_are_told_apart_by_words() {
        for (label, place) in [
            ("Jericho0 on-die temp sensor", Place::Chip),
            ("CPU temperature sensor", Place::Chip),
            ("CPU Inlet", Place::Air),
            ("I/O Cont Inlet", Place::Air),
            ("Te1/1/1 Module Temperature Sensor", Place::Transceiver),
            ("Xcvr52 temperature", Place::Transceiver),
            ("Main board Temperature", Place::Air),
            ("Switch 1 - Sensor 2", Place::Air),
        ] {
            assert_eq!(Place::of(label), place, "{label}");
        }
    }

    #[test]
    fn own_limits_end_as_far_below_as_those_of_the_site() {
        let bound = |raise, clear| Bound::new(raise, clear);
        let (hold, clear_hold) = (Duration::from_secs(6), Duration::from_secs(9));
        let site = Threshold::new(bound(55.0, 50.0), bound(65.0, 61.0), hold, clear_hold).unwrap();
        let own = Limits::new(Some(110.0), Some(125.0)).unwrap().threshold(&site).unwrap();
        let of = |level| own.bound(level).map(|b| (b.raise(), b.clear()));
        assert_eq!(
            (of(Level::Warning), of(Level::Critical)),
            (Some((110.0, 105.0)), Some((125.0, 121.0)))
        );
        assert_eq!((own.hold, own.clear_hold), (hold, clear_hold));
        let odd = Limits::new(Some(125.0), Some(125.0)).unwrap().threshold(&site).unwrap();
        assert_eq!(odd.bound(Level::Warning), None);
        assert_eq!(Limits::new(None, Some(f64::NAN)), None);
    }
}
