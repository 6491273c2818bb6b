//! What the command line asks for.

use super::kinds::{KINDS, Kind};

/// Stories of an ordinary run.
const STORIES: u64 = 2_000;

/// The run that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) stories: u64,
    /// The first seed.
    pub(crate) from: u64,
    /// One story only, with its history.
    pub(crate) seed: Option<u64>,
    pub(crate) kind: Option<&'static Kind>,
    /// Every so manieth story is replayed from its record.
    pub(crate) replay_every: u64,
    /// No summary.
    pub(crate) quiet: bool,
    /// Stop at the first story that fails.
    pub(crate) first_failure: bool,
}

/// Reads the arguments.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        stories: STORIES,
        from: 1,
        seed: None,
        kind: None,
        replay_every: 20,
        quiet: false,
        first_failure: false,
    };
    let mut arguments = arguments.filter(|a| a != "--nocapture" && a != "--show-output");
    while let Some(key) = arguments.next() {
        let mut number = || {
            let value = arguments.next().unwrap_or_default();
            value
                .parse::<u64>()
                .map_err(|_| format!("`{key} {value}` has no number"))
        };
        match key.as_str() {
            "--stories" => options.stories = number()?,
            "--from" => options.from = number()?,
            "--seed" => options.seed = Some(number()?),
            "--replay-every" => options.replay_every = number()?.max(1),
            "--quiet" => options.quiet = true,
            "--first-failure" => options.first_failure = true,
            "--kind" => {
                let name = arguments.next().unwrap_or_default();
                let kind = KINDS.iter().find(|k| k.name == name);
                options.kind = Some(kind.ok_or_else(|| format!("there is no kind `{name}`"))?);
            }
            other => return Err(format!("what is `{other}`?")),
        }
    }
    Ok(options)
}
