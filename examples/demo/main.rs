//! A short story on a simulated network: `cargo run --release --example demo` (no privileges, no other software).
//!
//! The daemon is the real one, in this process. Simulated are only the devices (SNMP agents on loopback addresses) and the two
//! mail relays, whose mail is shown as it arrives. After the story it stays up until Ctrl-C; with `--exit` it ends, with exit
//! code 0 if every expected mail came and no other.
#![allow(clippy::disallowed_methods, reason = "the story is told in real time")]

mod network;
#[path = "../../tests/support/relay.rs"]
mod relay;
mod screen;
mod site;
mod story;

use hinomi::daemon::RunOptions;
use network::Network;
use relay::{Encryption, Relay, Script};
use screen::Screen;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use story::{End, Story};

const HELP: &str = "The hinomi demo: a story of about 90 seconds on a simulated network.

Usage: demo [--exit] [--ja | --en]

  --exit  end after the story; exit code 0 if every expected mail came and no other
  --ja    in Japanese (the default where LANG is Japanese)
  --en    in English";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|a| a == word);
    if has("--help") || has("-h") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = arguments
        .iter()
        .find(|a| !["--exit", "--ja", "--en"].contains(&a.as_str()))
    {
        eprintln!("\"{unknown}\" is not known.\n\n{HELP}");
        return ExitCode::from(2);
    }
    let lang = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|v| std::env::var(v).ok().filter(|l| !l.is_empty()));
    let japanese = has("--ja") || !has("--en") && lang.is_some_and(|l| l.starts_with("ja"));
    match run(japanese, has("--exit")) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("the demo cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(japanese: bool, exit: bool) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| format!("no threads: {e}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    runtime.spawn(async move {
        let ended = tokio::signal::unix::SignalKind::terminate();
        if let Ok(mut ended) = tokio::signal::unix::signal(ended) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = ended.recv() => {}
            }
            flag.store(true, Ordering::SeqCst);
        }
    });
    let folder = site::Folder::make()?;
    let network = Network::start(runtime, &site::DEVICES)?;
    let office = Relay::start(Script::default());
    let auth = Some(("PLAIN LOGIN".to_owned(), "hinomi".to_owned(), site::PASSWORD.to_owned()));
    let lte = Relay::start(Script {
        tls: Encryption::StartTls,
        auth,
        ..Script::default()
    });
    let config = site::write(&folder.0, network.port, free_tcp_port(), &office, &lte, japanese)?;
    let daemon = hinomi::daemon::start(RunOptions {
        config: config.clone(),
        record: None,
    })
    .map_err(|e| e.to_string())?;
    let relays = vec![("office", office.subscribe()), ("lte", lte.subscribe())];
    let screen = Screen::new(japanese);
    let mut story = Story {
        screen,
        network,
        office,
        relays,
        got: Vec::new(),
        daemon,
        stop,
        isolation: None,
        missed: 0,
    };
    let told = story.tell();
    let code = match told {
        Ok(()) => {
            let good = story.sum_up();
            if !exit {
                story.where_to_look(&config.display().to_string());
                story.stay();
            }
            if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        // Ctrl-C: 128 + SIGINT, as shells say it.
        Err(End::Interrupted) => ExitCode::from(130),
        Err(End::Broken(what)) => {
            story.screen.bad(&what);
            ExitCode::FAILURE
        }
    };
    story.screen.clear();
    story.daemon.stop();
    drop(folder);
    Ok(code)
}

/// The port of the example configuration if it is free, else any.
fn free_tcp_port() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).and_then(|l| l.local_addr());
    free(9730).or_else(|_| free(0)).map_or(9730, |a| a.port())
}
