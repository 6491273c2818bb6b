//! One look at a few devices with a core and sockets of its own, without the daemon: for `hinomi probe` and `hinomi discover`.
//!
//! Nothing is recorded and nobody is told: commits are answered as if done, mails are not sent.

use super::start::RunError;
use super::{ask, clock, reload};
use crate::core::{Core, Effect, Input, Snapshot};
use crate::incident::{Head, Restored};
use crate::model::service::Failure;
use crate::model::{Now, PluginSettings, Site};
use crate::net::{Memory, Net};
use crate::poll::PollInput;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(5);

/// Polls until `enough` says so or the time is over; returns the last picture. `enough` also learns how much came in so far.
pub fn look(
    site: &Arc<Site>,
    patience: Duration,
    mut enough: impl FnMut(&Snapshot, usize) -> bool,
) -> Result<Snapshot, RunError> {
    let mut last = None;
    let core = watch(site, patience, |core, now, answers| {
        let picture = core.snapshot(now);
        let done = enough(&picture, answers);
        last = Some(picture);
        done
    })?;
    Ok(last.unwrap_or_else(|| core.snapshot(clock::now())))
}

/// The same, for whoever wants to ask the core for more than a picture.
pub fn watch(
    site: &Arc<Site>,
    patience: Duration,
    mut enough: impl FnMut(&Core, Now, usize) -> bool,
) -> Result<Core, RunError> {
    let mut answers = 0;
    let mut net = Net::open()?;
    let (v4, v6) = reload::needs_echo(site);
    for (needed, family) in [(v4, false), (v6, true)] {
        if let (true, Err(why)) = (needed, net.echo(family)) {
            return Err(RunError::Echo(format!(
                "the device is watched by echo, but the ICMP socket could not be opened: {why}. Run it as root, or with \
                 CAP_NET_RAW"
            )));
        }
    }
    let (connected, connections) = channel();
    let began = clock::now();
    let mut core = Core::new(Arc::clone(site), Restored::default(), rand::random(), began);
    let (mut received, mut memory) = (Vec::new(), Memory::new());
    loop {
        net.receive_dry(&mut memory, clock::reading(), &mut received);
        let now = clock::now();
        received.extend(connections.try_iter());
        answers += received.len();
        core.take_polled(&mut received, now);
        if core.next_wakeup() <= now.mono {
            core.wake(now);
        }
        for effect in core.effects() {
            if let Some(answer) = carry_out(effect, &mut net, &connected, &site.plugins) {
                core.take(answer, now);
            }
        }
        net.flush(&mut memory, &mut received);
        core.take_polled(&mut received, now);
        if enough(&core, now, answers) || now.mono.since(began.mono) > patience {
            return Ok(core);
        }
        std::thread::sleep(TICK);
    }
}

fn carry_out(effect: Effect, net: &mut Net, connected: &Sender<PollInput>, plugins: &PluginSettings) -> Option<Input> {
    match effect {
        Effect::Send { channel, to, bytes } => {
            net.queue(channel, to, bytes);
            None
        }
        Effect::TcpConnect { token, to, timeout } => {
            let connected = connected.clone();
            std::thread::spawn(move || {
                let result = connect(to, timeout);
                let _ = connected.send(PollInput::TcpEnded { token, result });
            });
            None
        }
        Effect::Ask(job) => {
            let (answered, plugins) = (connected.clone(), plugins.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let (took, result) = match runtime {
                    Ok(runtime) => runtime.block_on(ask::ask(&job, &plugins)),
                    Err(error) => (Duration::ZERO, Err(Failure::NotKnown(error.to_string()))),
                };
                let _ = answered.send(PollInput::Asked {
                    token: job.token,
                    took,
                    result,
                });
            });
            None
        }
        Effect::Commit(batch) => Some(Input::Committed {
            batch: batch.id,
            result: Ok(Head {
                seq: 0,
                hash: String::new(),
            }),
        }),
        Effect::Deliver(_) | Effect::TestRoute { .. } => None,
    }
}

fn connect(to: SocketAddr, timeout: Duration) -> Result<Duration, String> {
    let began = clock::mono();
    match TcpStream::connect_timeout(&to, timeout) {
        Ok(_) => Ok(clock::mono().since(began)),
        Err(e) if e.kind() == std::io::ErrorKind::TimedOut => Err("timed out".to_owned()),
        Err(e) => Err(e.to_string().split(" (os error").next().unwrap_or_default().to_owned()),
    }
}
