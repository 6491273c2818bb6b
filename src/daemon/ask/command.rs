//! A plugin is run by its helper (`hinomi plugins`), never by this process: only its name goes there, and its output comes back. I/O.

use super::words;
use crate::daemon::plugins::{Ended, LONGEST_REPLY, Ran, Reply, Request, digest};
use crate::model::PluginSettings;
use crate::model::service::{Answer, Exit, Failure, Perf};
use crate::poll::AskJob;
use crate::wire::perfdata;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Asks the helper to run the plugin of a watch.
pub(super) async fn ask(job: &AskJob, argv: &[String], plugins: &PluginSettings) -> Result<Answer, Failure> {
    let not_known = |what: String| Failure::NotKnown(what);
    let socket = plugins.socket.display();
    let mut stream = UnixStream::connect(&plugins.socket).await.map_err(|e| {
        not_known(format!(
            "the helper for plugins cannot be asked at {socket}: {} (systemctl status hinomi-plugins)",
            words(&e)
        ))
    })?;
    let request = Request {
        device: job.device.to_string(),
        watch: job.watch.to_string(),
        digest: digest(argv, job.service.timeout),
    };
    let mut line = serde_json::to_vec(&request).map_err(|e| not_known(e.to_string()))?;
    line.push(b'\n');
    let failed = |e: std::io::Error| not_known(format!("the helper for plugins hung up: {}", words(&e)));
    stream.write_all(&line).await.map_err(failed)?;
    let mut answer = Vec::new();
    stream
        .take(LONGEST_REPLY)
        .read_to_end(&mut answer)
        .await
        .map_err(failed)?;
    match serde_json::from_slice(&answer) {
        Ok(Reply::Ran(ran)) => judge_exit(&ran),
        Ok(Reply::Refused { why }) => Err(not_known(why)),
        Err(_) => Err(not_known("the helper for plugins gives no proper answer".to_owned())),
    }
}

/// Exit codes of the Monitoring Plugins guidelines: 0 ok, 1 warning, 2 critical; 3, and everything else, is unknown.
fn judge_exit(ran: &Ran) -> Result<Answer, Failure> {
    let output = perfdata::read(ran.output.as_bytes());
    let text = output.text;
    let exit = match ran.ended {
        Ended::Exited(0) => Exit::Ok,
        Ended::Exited(1) => Exit::Warning,
        Ended::Exited(2) => Exit::Critical,
        ended => return Err(unknown(ended, &text)),
    };
    Ok(Answer::Command {
        exit,
        text,
        perfdata: output
            .numbers
            .into_iter()
            .map(|n| Perf {
                label: n.label,
                value: n.value,
                unit: n.unit,
            })
            .collect(),
    })
}

/// What became of a plugin that says neither good nor bad.
fn unknown(ended: Ended, text: &str) -> Failure {
    match ended {
        Ended::Exited(code) => Failure::NotKnown(format!("the plugin says unknown (exit code {code}): {text}")),
        Ended::Signal(signal) => Failure::NotKnown(format!("the plugin was ended by signal {signal}: {text}")),
        // A plugin waits for what it asks: the usual reason is that this does not answer.
        Ended::Late => Failure::NoAnswer(
            format!("the plugin did not end in time and was killed {text}")
                .trim_end()
                .to_owned(),
        ),
        Ended::Endless => Failure::Malformed("the plugin wrote more than 64 kB and was killed".to_owned()),
        Ended::NotStarted => Failure::NotKnown(format!("the plugin could not be started: {text}")),
    }
}
