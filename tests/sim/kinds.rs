//! The kinds of stories, as `stories.toml` tells them: what is broken, whose it is, and what the verdict may say.
//!
//! Never here: a rule of the product. The table is what an engineer would expect of the evidence that exists.

use super::dice::Dice;
use hinomi::model::Verdict;
use serde::Deserialize;
use std::sync::LazyLock;

/// One kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kind {
    /// Its name; the plot of this name makes the story.
    pub(crate) name: String,
    /// How often, against the other kinds. 0: only as a part of others.
    pub(crate) weight: u64,
    /// In words.
    #[allow(dead_code)]
    pub(crate) broken: String,
    /// Whose fault it is in truth: `own`, `platform`, `link`, `carrier`, `institution`, `host`, `nobody`.
    pub(crate) party: String,
    /// Verdicts that name the right party.
    #[serde(default)]
    verdicts: Vec<String>,
    /// May the verdict stay open?
    #[serde(default)]
    pub(crate) undetermined: bool,
    /// Why it may.
    #[serde(default)]
    why: Option<String>,
}

impl Kind {
    /// Does this verdict name the party that is broken?
    pub(crate) fn names(&self, verdict: Verdict) -> bool {
        self.verdicts.iter().any(|v| v == verdict.key())
    }
}

/// Names nobody.
pub(crate) fn is_open(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Undetermined | Verdict::PlatformOrDemarcation)
}

#[derive(Deserialize)]
struct Table {
    kind: Vec<Kind>,
}

/// All kinds, in the order of the file.
pub(crate) static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let table: Table =
        toml::from_str(include_str!("stories.toml")).expect("stories.toml is part of this test and reads");
    for kind in &table.kind {
        let known = |v: &String| Verdict::ALL.iter().any(|k| k.key() == v);
        assert!(
            kind.verdicts.iter().all(known),
            "stories.toml: {} names an unknown verdict",
            kind.name
        );
        assert!(
            kind.undetermined == kind.why.is_some(),
            "stories.toml: {} says why the verdict may stay open if and only if it may",
            kind.name
        );
    }
    table.kind
});

/// The kind of a name.
pub(crate) fn kind(name: &str) -> &'static Kind {
    KINDS
        .iter()
        .find(|k| k.name == name)
        .unwrap_or_else(|| panic!("stories.toml has no kind `{name}`"))
}

/// The kind of a story, by weight.
pub(crate) fn draw(dice: &mut Dice) -> &'static Kind {
    let all: u64 = KINDS.iter().map(|k| k.weight).sum();
    let mut left = dice.below(all);
    for kind in KINDS.iter() {
        if left < kind.weight {
            return kind;
        }
        left -= kind.weight;
    }
    &KINDS[0]
}
