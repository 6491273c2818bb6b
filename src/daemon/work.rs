//! What tokio does for the engine: mail attempts, route tests, TCP connections, watched services. Each piece of work answers the engine once.

use super::Shared;
use super::ask;
use super::clock;
use super::messages::{ToEngine, Work};
use super::words::Word;
use crate::core::Input;
use crate::model::{Name, Route, Site};
use crate::notify::{Delivery, Outcome, RouteTest, Stage, channel};
use crate::poll::PollInput;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Around a whole mail attempt, whatever the relay does (design section 5).
const ATTEMPT: Duration = Duration::from_secs(30);
/// Beyond the channel's own deadline: a stuck attempt must never stay open.
const MARGIN: Duration = Duration::from_secs(3);

/// Takes work until the engine is gone.
pub(super) async fn run(shared: Arc<Shared>, mut inbox: Receiver<Work>) {
    while let Some(work) = inbox.recv().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let input = one(&shared, work).await;
            shared.tell_engine(ToEngine::Input(Box::new(input))).await;
        });
    }
}

async fn one(shared: &Shared, work: Work) -> Input {
    match work {
        Work::Deliver(delivery) => {
            let attempt = delivery.attempt;
            let outcome = deliver(&shared.site(), &delivery).await;
            log_outcome(&delivery, &outcome);
            Input::Delivered { attempt, outcome }
        }
        Work::TestRoute { route, with_auth } => {
            let test = test_route(&shared.site(), route, with_auth).await;
            let route = test.route.to_string();
            match &test.result {
                Ok(_) => Word::RouteReady { route }.log(),
                Err((_, error)) => Word::RouteFailed {
                    route,
                    error: error.clone(),
                }
                .log(),
            }
            Input::RouteTested(test)
        }
        Work::Ask(job) => {
            let plugins = shared.site().plugins.clone();
            let (took, result) = ask::ask(&job, &plugins).await;
            Input::Poll(PollInput::Asked {
                token: job.token,
                took,
                result,
            })
        }
        Work::TcpConnect { token, to, timeout } => Input::Poll(PollInput::TcpEnded {
            token,
            result: connect(to, timeout).await,
        }),
    }
}

async fn deliver(site: &Site, delivery: &Delivery) -> Outcome {
    let Some(route) = find(site, &delivery.route) else {
        return Outcome::Failed {
            stage: Stage::Resolve,
            error: format!("the configuration has no route \"{}\" any more", delivery.route),
        };
    };
    let attempt = channel::deliver(route, &delivery.mail, &site.operator, ATTEMPT);
    tokio::time::timeout(ATTEMPT + MARGIN, attempt)
        .await
        .unwrap_or_else(|_| Outcome::Failed {
            stage: Stage::FinalDot,
            error: format!(
                "no end after {} s; the mail may have been accepted",
                (ATTEMPT + MARGIN).as_secs()
            ),
        })
}

fn log_outcome(delivery: &Delivery, outcome: &Outcome) {
    let route = delivery.route.to_string();
    let message_id = delivery.mail.message_id.clone();
    let error = match outcome {
        Outcome::Accepted { relay, .. } => {
            let relay = relay.clone();
            return Word::Delivered {
                route,
                message_id,
                relay,
            }
            .log();
        }
        Outcome::Transient { reply, .. } | Outcome::Permanent { reply, .. } => reply.clone(),
        Outcome::Failed { error, .. } => error.clone(),
    };
    Word::NotDelivered {
        route,
        message_id,
        error,
    }
    .log();
}

async fn test_route(site: &Site, name: Name, with_auth: bool) -> RouteTest {
    let failed = |stage, error: String| RouteTest {
        route: Arc::clone(&name),
        with_auth,
        transcript: Vec::new(),
        result: Err((stage, error)),
    };
    let Some(route) = find(site, &name) else {
        return failed(
            Stage::Resolve,
            "the configuration has no such route any more".to_owned(),
        );
    };
    tokio::time::timeout(ATTEMPT + MARGIN, channel::test(route, with_auth, ATTEMPT))
        .await
        .unwrap_or_else(|_| {
            failed(
                Stage::Connect,
                format!("no end after {} s", (ATTEMPT + MARGIN).as_secs()),
            )
        })
}

fn find<'a>(site: &'a Site, name: &str) -> Option<&'a Route> {
    site.routes.iter().find(|r| &*r.name == name)
}

/// Time to connect, or the system's words.
async fn connect(to: SocketAddr, timeout: Duration) -> Result<Duration, String> {
    let began = clock::mono();
    match tokio::time::timeout(timeout, tokio::net::TcpStream::connect(to)).await {
        Err(_) => Err("timed out".to_owned()),
        Ok(Err(error)) => {
            let text = error.to_string();
            Err(text.split(" (os error").next().unwrap_or_default().to_owned())
        }
        Ok(Ok(_)) => Ok(clock::mono().since(began)),
    }
}
