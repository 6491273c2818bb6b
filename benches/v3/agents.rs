//! SNMPv3 agents of an independent implementation (async-snmp), each with its own socket and engine, all with the objects of the
//! fleet. They count what they served: a request that is not authentic, current and decrypted is never served.

use crate::fleet::agent::Asked;
use crate::fleet::ber::{Back, Oid as Arcs, tlv};
use crate::fleet::count::Count;
use crate::fleet::judge::{Verdict, Window, judge, self_check};
use crate::fleet::mib::{Agent as Mib, Instance, octets_of_port};
use crate::fleet::options::Options;
use crate::fleet::{PORT, address};
use async_snmp::agent::Agent;
use async_snmp::handler::{BoxFuture, GetNextResult, GetResult, HandlerResult, MibHandler, RequestContext};
use async_snmp::v3::{AuthProtocol, AuthoritativeEngine, MasterKeys, PersistedAuthoritativeEngine, PrivProtocol};
use async_snmp::{Oid, Value, VarBind};
use std::convert::Infallible;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// User of all agents.
pub(crate) const USER: &str = "fleet";
/// SHA-256.
pub(crate) const AUTH_PASSWORD: &str = "authentic fleet";
/// AES-128.
pub(crate) const PRIVACY_PASSWORD: &str = "private fleet";

struct Shared {
    began: Instant,
    ports: u32,
    count: Mutex<Count>,
}

/// The objects of one agent.
struct Objects {
    number: u32,
    shared: Arc<Shared>,
}

/// One running agent.
struct Running {
    agent: Arc<Agent>,
    task: JoinHandle<()>,
    stored: PersistedAuthoritativeEngine,
}

struct Fleet {
    options: Options,
    shared: Arc<Shared>,
    runtime: Runtime,
    keys: MasterKeys,
    agents: Vec<Running>,
}

/// Runs until standard input ends. Orders as those of the fleet, of which it knows `measure` and `verdict`; and `reboot`.
pub(crate) fn run(words: &[String]) -> Result<(), String> {
    self_check();
    let mut options = Options::default();
    for pair in words.chunks(2) {
        let [name, value] = pair else {
            return Err(format!("{}: needs a value", pair[0]));
        };
        options.take(name, value)?;
    }
    let mut fleet = Fleet::start(options)?;
    say(&[])?;
    let mut from_ms = 0;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| format!("standard input: {e}"))?;
        let answer = match line.trim() {
            "measure" => {
                fleet.lock().restart();
                from_ms = fleet.ms();
                Vec::new()
            }
            "verdict" => fleet.verdict(from_ms),
            "reboot" => fleet
                .reboot()
                .map_or_else(|problem| vec![format!("error: {problem}")], |words| vec![words]),
            other => vec![format!("error: {other}: measure, verdict or reboot")],
        };
        say(&answer)?;
    }
    Ok(())
}

fn say(lines: &[String]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    writeln!(out, "{text}end")
        .and_then(|()| out.flush())
        .map_err(|e| format!("standard output: {e}"))
}

impl Fleet {
    fn start(options: Options) -> Result<Fleet, String> {
        let keys = MasterKeys::new(AuthProtocol::Sha256, AUTH_PASSWORD.as_bytes())
            .and_then(|k| k.with_privacy(PrivProtocol::Aes128, PRIVACY_PASSWORD.as_bytes()))
            .map_err(|e| format!("keys: {e}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let shared = Shared {
            began: Instant::now(),
            ports: options.ports,
            count: Mutex::new(Count::new(options.targets, options.ports, options.interval_s * 1_000)),
        };
        let mut fleet = Fleet {
            shared: Arc::new(shared),
            runtime: runtime.map_err(|e| format!("tokio: {e}"))?,
            keys,
            agents: Vec::with_capacity(options.targets as usize),
            options,
        };
        for number in 0..fleet.options.targets {
            let engine = AuthoritativeEngine::install(engine_id(number), |_| Ok::<(), Infallible>(()));
            let running = fleet.agent(number, engine.map_err(|e| format!("engine {number}: {e}"))?)?;
            fleet.agents.push(running);
        }
        Ok(fleet)
    }

    fn agent(&self, number: u32, engine: AuthoritativeEngine) -> Result<Running, String> {
        let words = |e: &dyn std::fmt::Display| format!("agent {}: {e}", address(number));
        let stored = engine.persisted_state();
        let objects = Objects {
            number,
            shared: Arc::clone(&self.shared),
        };
        let builder = Agent::builder()
            .bind(format!("{}:{PORT}", address(number)))
            .recv_buffer_size(None)
            .authoritative_engine(engine)
            .usm_user(USER, |user| user.with_master_keys(self.keys.clone()))
            .map_err(|e| words(&e))?
            .without_builtin_handlers()
            .handler(Oid::from_slice(&[1, 3, 6, 1]), Arc::new(objects))
            .allow_all_access();
        let agent = Arc::new(self.runtime.block_on(builder.build()).map_err(|e| words(&e))?);
        let running = Arc::clone(&agent);
        let task = self.runtime.spawn(async move {
            // It ends when it is rebooted.
            let _ = running.run().await;
        });
        Ok(Running { agent, task, stored })
    }

    /// Every engine starts again: boots one higher, time at 0. What comes in while an agent has no socket is refused.
    fn reboot(&mut self) -> Result<String, String> {
        let begun = Instant::now();
        for number in 0..self.options.targets {
            let old = &mut self.agents[number as usize];
            old.agent.cancel();
            let _ = self.runtime.block_on(&mut old.task);
            let engine = AuthoritativeEngine::restart(old.stored.clone(), |_| Ok::<(), Infallible>(()));
            let stopped = self.agents.swap_remove(number as usize);
            drop(stopped);
            let running = self.agent(number, engine.map_err(|e| format!("engine {number}: {e}"))?)?;
            let last = self.agents.len();
            self.agents.push(running);
            self.agents.swap(number as usize, last);
        }
        let boots = self.agents.first().map_or(0, |a| a.stored.engine_boots());
        Ok(format!(
            "{} engines at boots {boots} within {:.1} s",
            self.agents.len(),
            begun.elapsed().as_secs_f64()
        ))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Count> {
        self.shared.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ms(&self) -> u32 {
        self.shared.began.elapsed().as_millis() as u32
    }

    /// In the form of the fleet's verdict; there are no echoes, liars and silent ones.
    fn verdict(&self, from: u32) -> Vec<String> {
        let window = Window {
            from,
            to: self.ms(),
            interval: self.options.interval_s * 1_000,
        };
        let (count, nobody) = (self.lock(), Verdict::default());
        let refused = |of: fn(&Agent) -> u32| self.agents.iter().map(|a| u64::from(of(&a.agent))).sum::<u64>();
        let mut lines = vec![
            format!("window ms={}", window.to - window.from),
            format!(
                "snmp requests={} retries={} single={} walks={} garbage={}",
                count.requests, count.retries, count.single, count.walks, count.garbage
            ),
            format!(
                "snmp-answering {}",
                judge(&count.log, self.options.targets, window, |_| true)
            ),
            format!(
                "usm not_in_window={} unknown_engine={} wrong_digest={}",
                refused(Agent::usm_not_in_time_windows),
                refused(Agent::usm_unknown_engine_ids),
                refused(Agent::usm_wrong_digests)
            ),
            "echo requests=0".to_owned(),
        ];
        lines.extend(
            [
                "snmp-lying",
                "snmp-silent",
                "echo-answering",
                "echo-lying",
                "echo-silent",
            ]
            .map(|n| format!("{n} {nobody}")),
        );
        lines
    }
}

/// RFC 3411: nobody's enterprise number (RFC 5612), format 5 (octets), the agent.
fn engine_id(number: u32) -> Vec<u8> {
    [
        0x8000_7ed9u32.to_be_bytes().as_slice(),
        &[5],
        &[0; 4],
        &number.to_be_bytes(),
    ]
    .concat()
}

impl Objects {
    fn mib(&self) -> Mib {
        Mib {
            number: self.number,
            ports: self.shared.ports,
            ms: self.shared.began.elapsed().as_millis() as u64,
        }
    }

    /// A round is counted by its octets, of which each poll reads one a port.
    fn count(&self, oid: &Arcs) {
        if let Some(port) = octets_of_port(oid) {
            let asked = Asked {
                poll: true,
                walk: false,
                ports: 1 << ((port - 1) & 63),
                shape: port,
            };
            let ms = self.shared.began.elapsed().as_millis() as u32;
            self.shared
                .count
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .asked(self.number, ms, asked);
        }
    }
}

fn arcs(oid: &Oid) -> Arcs {
    let mut all = Arcs::EMPTY;
    oid.arcs().iter().for_each(|arc| all.push(*arc));
    all
}

/// The value as this implementation holds it.
fn value(mib: &Mib, instance: Instance) -> Value {
    let mut out = Back::new();
    mib.value(instance, &mut out);
    let Some((tag, bytes, _)) = tlv(out.bytes()) else {
        return Value::NoSuchInstance;
    };
    let number = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    match tag {
        0x02 => Value::Integer(number as i32),
        0x04 => Value::OctetString(bytes.to_vec().into()),
        0x06 => Arcs::read(bytes).map_or(Value::NoSuchInstance, |o| {
            Value::ObjectIdentifier(Oid::from_slice(o.arcs()))
        }),
        0x41 => Value::Counter32(number as u32),
        0x42 => Value::Gauge32(number as u32),
        0x43 => Value::TimeTicks(number as u32),
        _ => Value::Counter64(number),
    }
}

impl MibHandler for Objects {
    fn get<'a>(&'a self, _: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetResult>> {
        let (mib, oid) = (self.mib(), arcs(oid));
        self.count(&oid);
        let found = mib.get(&oid).map(|instance| value(&mib, instance));
        Box::pin(async move { Ok(found.map_or(GetResult::NoSuchInstance, GetResult::Value)) })
    }

    fn get_next<'a>(&'a self, _: &'a RequestContext, oid: &'a Oid) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
        let mib = self.mib();
        let found = mib
            .next(&arcs(oid))
            .map(|(next, instance)| VarBind::new(Oid::from_slice(next.arcs()), value(&mib, instance)));
        Box::pin(async move { Ok(found.map_or(GetNextResult::EndOfMibView, GetNextResult::Value)) })
    }
}
