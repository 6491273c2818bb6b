//! One plugin: started in a process group of its own, with a deadline, a cap on what it writes, and nothing of our environment. I/O.

use super::{Command, Ended, Ran};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;

/// What a plugin may write.
const MOST: usize = 64 * 1024;
/// After the end of a plugin, for what stands in its pipes: a child that it left behind may hold them open.
const REST: Duration = Duration::from_millis(300);

/// Runs a plugin to its end, or to the end of its time.
pub(super) async fn run(command: &Command) -> Ran {
    let Some((program, arguments)) = command.argv.split_first() else {
        return not_started("the command is empty");
    };
    let started = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return not_started(&error.to_string()),
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let full = Arc::new(Notify::new());
    let printed = child.stdout.take().map(|pipe| Pipe::read(pipe, &full));
    let errors = child.stderr.take().map(|pipe| Pipe::read(pipe, &full));
    let ended = tokio::select! {
        biased;
        () = full.notified() => Ended::Endless,
        status = child.wait() => match status {
            Ok(status) => status.code().map_or(Ended::Signal(status.signal().unwrap_or(0)), Ended::Exited),
            Err(error) => return not_started(&error.to_string()),
        },
        () = tokio::time::sleep(Duration::from_millis(command.timeout_ms)) => Ended::Late,
    };
    // Whatever it started goes with it. Where nothing is left of the group the kernel says so, which is as good.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
    let mut output = take(printed).await;
    let errors = take(errors).await;
    if output.is_empty() {
        output = errors;
    }
    Ran {
        ended,
        output: String::from_utf8_lossy(&output).into_owned(),
    }
}

fn not_started(why: &str) -> Ran {
    Ran {
        ended: Ended::NotStarted,
        output: why.to_owned(),
    }
}

/// A pipe that is read to its end, or until it is too much.
struct Pipe {
    read: Arc<Mutex<Vec<u8>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Pipe {
    fn read(mut pipe: impl AsyncRead + Unpin + Send + 'static, full: &Arc<Notify>) -> Pipe {
        let read = Arc::new(Mutex::new(Vec::new()));
        let (into, full) = (Arc::clone(&read), Arc::clone(full));
        let task = tokio::spawn(async move {
            let mut piece = [0_u8; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut piece).await {
                let mut into = into.lock().unwrap_or_else(PoisonError::into_inner);
                if into.len() + n > MOST {
                    full.notify_one();
                    return;
                }
                into.extend_from_slice(&piece[..n]);
            }
        });
        Pipe { read, task }
    }
}

async fn take(pipe: Option<Pipe>) -> Vec<u8> {
    let Some(mut pipe) = pipe else { return Vec::new() };
    if tokio::time::timeout(REST, &mut pipe.task).await.is_err() {
        pipe.task.abort();
    }
    std::mem::take(&mut *pipe.read.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::clock;

    fn shell(script: &str, timeout_ms: u64) -> Ran {
        let command = Command {
            device: "d".to_owned(),
            watch: "w".to_owned(),
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            timeout_ms,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(&command))
    }

    #[test]
    fn code_and_output_come_back() {
        let ran = shell("echo 'DISK CRITICAL | /=1B'; exit 2", 5000);
        assert_eq!(ran.ended, Ended::Exited(2));
        assert_eq!(ran.output, "DISK CRITICAL | /=1B\n");
        assert_eq!(shell("echo why >&2; exit 3", 5000).output, "why\n");
        assert_eq!(shell("kill -9 $$", 5000).ended, Ended::Signal(9));
    }

    #[test]
    fn nothing_of_our_environment_is_handed_on() {
        let ran = shell("env", 5000);
        let names: Vec<&str> = ran.output.lines().filter_map(|l| l.split('=').next()).collect();
        assert!(
            names
                .iter()
                .all(|n| ["PATH", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"].contains(n)),
            "{names:?}"
        );
    }

    #[test]
    fn a_plugin_that_hangs_dies_with_its_children() {
        let began = clock::mono();
        let ran = shell("echo begun; sleep 60 & echo $!; wait", 300);
        assert_eq!(ran.ended, Ended::Late);
        assert!(clock::mono().since(began) < Duration::from_secs(5));
        let child: i32 = ran.output.lines().nth(1).unwrap().parse().unwrap();
        // A killed child of a dead parent is reaped by whoever adopts it; until then it is a zombie.
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }

    #[test]
    fn a_plugin_that_never_stops_writing_is_killed() {
        let began = clock::mono();
        let ran = shell("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", 20_000);
        assert_eq!(ran.ended, Ended::Endless);
        assert!(ran.output.len() <= MOST && clock::mono().since(began) < Duration::from_secs(10));
    }

    #[test]
    fn a_child_left_behind_holds_nobody_up() {
        let began = clock::mono();
        let ran = shell("sleep 60 & echo OK", 20_000);
        assert_eq!((ran.ended, ran.output.as_str()), (Ended::Exited(0), "OK\n"));
        assert!(clock::mono().since(began) < Duration::from_secs(5));
    }

    #[test]
    fn what_is_no_program_is_told() {
        let command = Command {
            device: "d".to_owned(),
            watch: "w".to_owned(),
            argv: vec!["/nonexistent/check_x".to_owned()],
            timeout_ms: 1000,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let ran = runtime.block_on(run(&command));
        assert_eq!(ran.ended, Ended::NotStarted);
        assert!(ran.output.contains("No such file"), "{}", ran.output);
    }
}
