//! `sansip proxy`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sansip::{Challenge, Challenged, Limits, Roles};
use serde_json::{Value, json};

use super::{FAILED, OK, SocketArgs, refuse, run_until_signal, runtime, stats_line};
use crate::driver::{Driver, End, OpenError, Setup};
use crate::listen::Usage;
use crate::proxy::{Proxy, Route};
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
    sockets: SocketArgs,

    /// A domain that it is responsible for: it registers its users and finds them. May be given
    /// several times
    #[arg(long, value_name = "NAME")]
    domain: Vec<String>,

    /// Where requests go that no binding matches: PATTERN=URI. The pattern is a host or user@host,
    /// and * stands for any characters. May be given several times; the first that matches counts
    #[arg(long, value_name = "PATTERN=URI")]
    route: Vec<String>,

    /// Leave the path of the dialogs it forwards (no Record-Route)
    #[arg(long)]
    no_record_route: bool,

    /// Answer 403 to requests for other domains that no --route matches
    #[arg(long)]
    no_relay: bool,

    /// Challenge REGISTER and INVITE, and check these users: a file with a line for each, its
    /// secret being the hash of user:realm:password: user:realm:HA1 (MD5), or
    /// user:realm:algorithm:HA1 with MD5, SHA-256 or SHA-512-256. Without it nobody is challenged
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,

    /// Print a line of counts every so many seconds
    #[arg(long, value_name = "SECONDS")]
    stats: Option<u64>,

    /// How many requests it works on at once
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    requests: usize,
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &ProxyArgs) -> u8 {
    let (setup, app) = match prepare(args) {
        Ok(ready) => ready,
        Err(problem) => return refuse(&problem),
    };
    match serve(args, setup, app) {
        Ok(End::Quiet) => OK,
        Ok(End::Late) if args.sockets.drain.is_none() => OK,
        Ok(End::Late) => FAILED,
        Err(problem) => refuse(&problem),
    }
}

fn limits(requests: usize) -> Limits {
    Limits {
        lines: 1,
        calls: 1,
        calls_in: 1,
        dialogs: 1,
        // A forwarded call takes three transactions and the wait of timers D and I after them.
        transactions: requests * 6,
        attempts: requests * 2,
        forks: requests * 2,
        queries: requests,
        pool: (requests * 12_000).max(16 << 20),
        ..Limits::SERVER
    }
}

fn prepare(args: &ProxyArgs) -> Result<(Setup, Proxy), Usage> {
    if args.requests == 0 || args.requests > 1_000_000 {
        return Err(Usage::new("--requests", &args.requests.to_string(), "not from 1 to 1000000"));
    }
    let mut setup = Setup::new(limits(args.requests));
    args.sockets.apply(&mut setup)?;
    for domain in &args.domain {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-._[]:".contains(&c);
        if domain.is_empty() || !domain.bytes().all(plain) {
            return Err(Usage::new("--domain", domain, "not a host name or IP address"));
        }
    }
    setup.config.domains.clone_from(&args.domain);
    setup.config.roles = Roles { ua: false, proxy: true, registrar: !args.domain.is_empty() };
    setup.config.record_route = !args.no_record_route;
    setup.config.product = concat!("sansip/", env!("CARGO_PKG_VERSION")).into();
    let routes = args.route.iter().map(|r| Route::parse(r)).collect::<Result<_, _>>()?;
    let mut app = Proxy::new(routes, !args.no_relay);
    if let Some(path) = &args.users {
        let users = Users::read(path)?;
        setup.config.challenge = Challenge {
            methods: Challenged::Calls,
            realm: users.realm().to_owned(),
            algorithms: users.algorithms(),
            integrity: true,
            ..setup.config.challenge
        };
        app.set_users(users);
    }
    Ok((setup, app))
}

fn serve(args: &ProxyArgs, setup: Setup, app: Proxy) -> Result<End, OpenError> {
    runtime()?.block_on(async {
        let mut report = Report::default();
        let mut driver = Driver::open(setup, app)?;
        report.listening(driver.addresses());
        report.line(&challenges(driver.app.users()));
        let end = match args.stats.filter(|s| *s > 0) {
            None => run_until_signal(&mut driver).await,
            Some(seconds) => {
                with_stats(&mut driver, &mut report, Duration::from_secs(seconds)).await
            }
        };
        let mut line = stats_line("stopped", &driver);
        line.insert("registered".into(), json!(driver.app.registered(driver.now())));
        line.insert("clean".into(), json!(end == End::Quiet));
        report.line(&Value::Object(line));
        Ok(end)
    })
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

async fn with_stats(driver: &mut Driver<Proxy>, report: &mut Report, every: Duration) -> End {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut signals = super::Signals::new();
    std::future::poll_fn(|cx| {
        while tick.poll_tick(cx).is_ready() {
            report.line(&Value::Object(stats_line("stats", driver)));
        }
        while signals.poll(cx).is_ready() {
            driver.stop();
        }
        driver.poll(cx)
    })
    .await
}
