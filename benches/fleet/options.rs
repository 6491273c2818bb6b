//! What is measured, from the command line.

/// Who polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `poll` alone.
    Engine,
    /// The real daemon.
    Daemon,
    /// A bare loop of sends and receives.
    Floor,
}

impl Subject {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Subject::Engine => "polled by the engine alone (one thread, 8 sockets, tick 10 ms)",
            Subject::Daemon => "polled by the real daemon",
            Subject::Floor => "asked by a bare loop (one thread, 8 sockets, tick 10 ms): the floor",
        }
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) devices: u32,
    pub(crate) seconds: u64,
    pub(crate) interval: u64,
    /// `None`: the floor, then the daemon, and their ratio.
    pub(crate) subject: Option<Subject>,
    /// This process is the subject.
    pub(crate) child: bool,
}

impl Options {
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut o = Options {
            devices: 1_000,
            seconds: 300,
            interval: 10,
            subject: None,
            child: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |v: String| v.parse::<u64>().map_err(|e| format!("{argument} {v}: {e}"));
            match argument.as_str() {
                "--devices" => o.devices = u32::try_from(number(value()?)?).map_err(|e| format!("--devices: {e}"))?,
                "--seconds" => o.seconds = number(value()?)?,
                "--interval" => o.interval = number(value()?)?,
                "--subject" => {
                    o.subject = Some(match value()?.as_str() {
                        "engine" => Subject::Engine,
                        "daemon" => Subject::Daemon,
                        "floor" => Subject::Floor,
                        other => return Err(format!("--subject {other}: engine, daemon or floor")),
                    });
                }
                "--child" => o.child = true,
                "--bench" => {} // cargo adds it
                other => return Err(format!("{other}: --devices, --seconds, --interval or --subject")),
            }
        }
        if o.devices == 0 || o.devices > 60_000 || o.interval == 0 || o.seconds < 3 * o.interval {
            return Err("1 to 60000 devices, and at least three intervals".to_owned());
        }
        Ok(o)
    }
}
