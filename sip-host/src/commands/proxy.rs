//! `sansip proxy`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior};

use super::{FAILED, OK, Signals, SocketArgs, counts_line, refuse, runtime};
use crate::driver::End;
use crate::listen::Usage;
use crate::proxy::metrics;
use crate::proxy::plan::Plan;
use crate::proxy::service::{Counts, Service, StartError};
use crate::report::Report;
use crate::users::Users;

/// A proxy and registrar
///
/// It forwards requests statefully (RFC 3261 16), stays in the path of the dialogs it forwards, and
/// keeps the registrations of its domains in memory. A request goes to the bindings of its
/// address of record; if there are none, to the first --route that matches; else, for another
/// domain, where it asks to go.
#[derive(Args, Debug)]
#[command(after_help = "\
Two phones and a proxy, in three terminals:
  sansip proxy --listen udp:127.0.0.1:5060 --domain example.com
  sansip phone --listen udp:127.0.0.1:5070 --aor sip:bob@example.com \\
      --proxy sip:127.0.0.1:5060 --register --after 1000
  sansip phone --listen udp:127.0.0.1:5072 --aor sip:alice@example.com \\
      --proxy sip:127.0.0.1:5060 --call sip:bob@example.com --hangup-after 3000")]
pub struct ProxyArgs {
    #[command(flatten)]
    pub(crate) sockets: SocketArgs,

    /// Take what is not said here from this file (TOML; docs/running.md has all of it). Lists are
    /// joined; of a single value the argument counts. SIGHUP reads it again: users, routes, trunks,
    /// domains, certificates, forking, the edge and the registrar's settings change without a word
    /// to those who call
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Say whether the arguments and the file can be followed, and end
    #[arg(long)]
    check: bool,

    /// A domain that it is responsible for: it registers its users and finds them. May be given
    /// several times
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Vec<String>,

    /// Where requests go that no binding matches: PATTERN=URI. The pattern is a host or user@host,
    /// and * stands for any characters. May be given several times; the first that matches counts
    #[arg(long, value_name = "PATTERN=URI")]
    pub(crate) route: Vec<String>,

    /// Leave the path of the dialogs it forwards (no Record-Route)
    #[arg(long)]
    pub(crate) no_record_route: bool,

    /// Answer 403 to requests for other domains that no --route matches
    #[arg(long)]
    pub(crate) no_relay: bool,

    /// Challenge REGISTER and INVITE, and check these users: a file with a line for each, its
    /// secret being the hash of user:realm:password: user:realm:HA1 (MD5), or
    /// user:realm:algorithm:HA1 with MD5, SHA-256 or SHA-512-256. Without it nobody is challenged
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,

    /// Print a line of counts every so many seconds
    #[arg(long, value_name = "SECONDS")]
    stats: Option<u64>,

    /// How many requests it works on at once (by default 20000)
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<usize>,

    /// How many engines share the work, each on a core of its own (by default 1)
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,

    /// Where the bindings are: redis://HOST[:PORT][/DB], which several machines can share. Without
    /// it they are in memory and end with the program
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// The secret that the machines of one service share, 64 hexadecimal digits: what one has
    /// challenged another can check
    #[arg(long, value_name = "HEX", env = "SANSIP_CLUSTER_KEY", hide_env_values = true)]
    pub(crate) cluster_key: Option<String>,

    /// Show metrics for Prometheus at http://ADDRESS/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<String>,

    /// Write every message that comes or goes to this file (pcap), what TLS carried too
    #[arg(long, value_name = "FILE")]
    pub(crate) capture: Option<PathBuf>,

    /// What is logged on standard error: error, warn, info, debug; with ',json' behind it as JSON
    /// lines
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &ProxyArgs) -> u8 {
    let plan = match Plan::of(args) {
        Ok(plan) => plan,
        Err(problem) => return refuse(&problem),
    };
    if args.check {
        return OK;
    }
    plan.log.start();
    match serve(args, &plan) {
        Ok(End::Quiet) => OK,
        Ok(End::Late) if plan.drain.is_none() => OK,
        Ok(End::Late) => FAILED,
        Err(problem) => refuse(&problem),
    }
}

fn serve(args: &ProxyArgs, plan: &Plan) -> Result<End, StartError> {
    runtime().map_err(StartError::Open)?.block_on(async {
        let mut report = Report::default();
        // Before anybody is told that it runs.
        let mut control = Control {
            signals: Signals::stop(),
            reloads: Signals::reload(),
            tick: args.stats.filter(|s| *s > 0).map(|s| ticks(Duration::from_secs(s))),
        };
        let mut service = Service::start(plan).await?;
        let metrics = match plan.fixed.metrics {
            Some(address) => Some(show_metrics(address, &service).await?),
            None => None,
        };
        report.listening(service.addresses());
        if let Some(address) = metrics {
            report.line(&json!({"event": "metrics", "at": format!("http://{address}/metrics")}));
        }
        report.line(&challenges(plan.settings.users.as_ref()));
        let (end, last) = loop {
            let what = tokio::select! {
                ended = service.ended() => break ended,
                what = control.next() => what,
            };
            match what {
                Wanted::Stop => {
                    tracing::info!("ending: what is new is refused");
                    service.stop();
                }
                Wanted::Reload => report.line(&reload(args, plan, &service)),
                Wanted::Stats => {
                    let counts = service.engines().counts().await;
                    report.line(&line("stats", service.now(), &counts));
                }
            }
        };
        let mut line = line("stopped", service.now(), &last);
        if let Value::Object(line) = &mut line {
            line.insert("clean".into(), json!(end == End::Quiet));
        }
        report.line(&line);
        Ok(end)
    })
}

async fn show_metrics(address: SocketAddr, service: &Service) -> Result<SocketAddr, StartError> {
    let serving = metrics::serve(address, service.engines().clone()).await;
    serving.map_err(|why| {
        let usage = Usage::new("--metrics", &address.to_string(), why.to_string());
        StartError::Problem(usage.into())
    })
}

fn line(event: &str, at: u64, counts: &Counts) -> Value {
    let mut line = counts_line(event, at, &counts.stats, counts.dropped);
    line.insert("standing".into(), json!(counts.standing));
    line.insert("received_most".into(), json!(counts.received_most));
    line.insert("registered".into(), json!(counts.registered));
    line.insert("store_failures".into(), json!(counts.store_failures));
    Value::Object(line)
}

/// Reads the arguments' files again, and follows them where nothing is wrong.
fn reload(args: &ProxyArgs, present: &Plan, service: &Service) -> Value {
    match Plan::of(args) {
        Ok(plan) => {
            service.reload(&plan);
            tracing::info!(routes = plan.settings.routes.len(), "reloaded");
            let mut line = json!({"event": "reloaded", "routes": plan.settings.routes.len()});
            if plan.fixed != present.fixed {
                let note = "sockets, workers, requests, store, cluster key, metrics and capture \
                            stay as they are until it is started anew";
                line["note"] = json!(note);
            }
            line
        }
        Err(problem) => {
            tracing::error!(%problem, "not reloaded");
            json!({"event": "not_reloaded", "problem": problem.to_string()})
        }
    }
}

/// Whom it challenges.
fn challenges(users: Option<&Users>) -> Value {
    let Some(users) = users else {
        let note = "anybody may register and call: --users FILE challenges REGISTER and INVITE";
        return json!({"event": "challenges", "methods": [], "note": note});
    };
    let algorithms: Vec<&str> = users.algorithms().iter().map(|a| a.name()).collect();
    json!({
        "event": "challenges",
        "methods": ["REGISTER", "INVITE"],
        "realm": users.realm(),
        "algorithms": algorithms,
        "users": users.len(),
    })
}

/// What somebody wants of a running proxy.
enum Wanted {
    Stop,
    Reload,
    Stats,
}

struct Control {
    signals: Signals,
    reloads: Signals,
    tick: Option<Interval>,
}

impl Control {
    async fn next(&mut self) -> Wanted {
        poll_fn(|cx| {
            if self.signals.poll(cx).is_ready() {
                return Poll::Ready(Wanted::Stop);
            }
            if self.reloads.poll(cx).is_ready() {
                return Poll::Ready(Wanted::Reload);
            }
            match &mut self.tick {
                Some(tick) => tick.poll_tick(cx).map(|_| Wanted::Stats),
                None => Poll::Pending,
            }
        })
        .await
    }
}

fn ticks(every: Duration) -> Interval {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tick
}
