//! What CPU, memory, load and temperature mean per make: which objects are read, and how they become a number.
//!
//! Facts and sources: HOST-RESOURCES-MIB (RFC 2790), UCD-SNMP-MIB (net-snmp).

use super::Metric;

/// One object a profile reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// The instance, ready to GET (ends in .0 or a fixed index).
    Scalar(&'static [u32]),
    /// A column; its instances are found by a walk when names are resolved, then read by GET.
    Column(&'static [u32]),
}

/// How readings become one number. The order of `objects` is what a formula refers to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Formula {
    /// Mean over all instances of the first object.
    Mean,
    /// 100 minus the first object.
    HundredMinus,
    /// The first object times this.
    Scaled(f64),
    /// 100 × (total − (free + buffers + cached)) / total; objects: total, free, buffers, cached (the last two may be absent).
    MemoryOfFree,
    /// hrStorage: objects type, size, used; 100 × used / size of the rows whose type is hrStorageRam.
    StorageRam,
}

/// One metric of a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// What it gives.
    pub metric: Metric,
    /// What is read.
    pub objects: &'static [Object],
    /// How it becomes a number.
    pub formula: Formula,
}

/// A make of devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The word in `profile = …`.
    pub name: &'static str,
    /// sysObjectID prefixes, matched on sub-identifier boundaries, longest first. Empty: the fallback.
    pub sys_object_ids: &'static [&'static [u32]],
    /// What it measures.
    pub measures: &'static [Measure],
}

const HR_PROCESSOR_LOAD: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2];
const HR_STORAGE_TYPE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 2];
const HR_STORAGE_SIZE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 5];
const HR_STORAGE_USED: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 6];
const UCD_LOAD5_INT: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 10, 1, 5, 2];
const UCD_MEM_TOTAL: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 4, 5, 0];
const UCD_MEM_AVAIL: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 4, 6, 0];
const UCD_MEM_BUFFER: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 4, 14, 0];
const UCD_MEM_CACHED: &[u32] = &[1, 3, 6, 1, 4, 1, 2021, 4, 15, 0];

const CPU_HR: Measure = Measure {
    metric: Metric::Cpu,
    objects: &[Object::Column(HR_PROCESSOR_LOAD)],
    formula: Formula::Mean,
};

/// The profiles built in, the fallback last.
pub const BUILTIN: &[Profile] = &[
    Profile {
        name: "net-snmp",
        sys_object_ids: &[&[1, 3, 6, 1, 4, 1, 8072, 3, 2]],
        measures: &[
            CPU_HR,
            Measure {
                metric: Metric::Memory,
                objects: &[
                    Object::Scalar(UCD_MEM_TOTAL),
                    Object::Scalar(UCD_MEM_AVAIL),
                    Object::Scalar(UCD_MEM_BUFFER),
                    Object::Scalar(UCD_MEM_CACHED),
                ],
                formula: Formula::MemoryOfFree,
            },
            Measure {
                metric: Metric::Load5,
                objects: &[Object::Scalar(UCD_LOAD5_INT)],
                formula: Formula::Scaled(0.01),
            },
        ],
    },
    Profile {
        name: "host-resources",
        sys_object_ids: &[],
        measures: &[
            CPU_HR,
            Measure {
                metric: Metric::Memory,
                objects: &[
                    Object::Column(HR_STORAGE_TYPE),
                    Object::Column(HR_STORAGE_SIZE),
                    Object::Column(HR_STORAGE_USED),
                ],
                formula: Formula::StorageRam,
            },
        ],
    },
];

/// The profile of a name.
pub fn by_name(name: &str) -> Option<&'static Profile> {
    BUILTIN.iter().find(|p| p.name == name)
}

/// The profile for a sysObjectID: the longest prefix wins; the fallback if none fits.
pub fn by_sys_object_id(oid: &[u32]) -> &'static Profile {
    BUILTIN
        .iter()
        .filter_map(|p| {
            p.sys_object_ids
                .iter()
                .filter(|prefix| oid.starts_with(prefix))
                .map(|x| x.len())
                .max()
                .map(|n| (n, p))
        })
        .max_by_key(|(n, _)| *n)
        .map(|(_, p)| p)
        .unwrap_or(&BUILTIN[BUILTIN.len() - 1])
}
