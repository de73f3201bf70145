//! `sansip phone`.

use clap::Args;
use sansip::{Limits, Roles};
use serde_json::{Value, json};

use super::{FAILED, OK, SocketArgs, refuse, run_until_signal, runtime, stats_line};
use crate::driver::{Driver, OpenError, Setup};
use crate::listen::{Usage, host_text, outward};
use crate::phone::{Password, Phone, Plan, Reaction};
use crate::proxy::check_uri;
use crate::report::Report;

/// An unattended phone
///
/// Without --call it takes the calls that reach it, until Ctrl-C or until it has had --calls of
/// them. With --call it calls, and ends when its calls have. Each event is one JSON line.
///
/// Exit status: 0 if all calls went as wanted, 1 if one did not, 2 for a wrong argument.
#[derive(Args, Debug)]
#[command(after_help = "\
A phone that rings for a second and answers, and one that calls it:
  sansip phone --listen udp:127.0.0.1:5070 --aor sip:bob@127.0.0.1 --after 1000
  sansip phone --listen udp:127.0.0.1:5072 --aor sip:alice@127.0.0.1 \\
      --call sip:bob@127.0.0.1:5070 --hangup-after 3000

Busy, and a caller that wants just that:
  sansip phone --listen udp:127.0.0.1:5070 --aor sip:bob@127.0.0.1 --answer 486
  sansip phone --listen udp:127.0.0.1:5072 --aor sip:alice@127.0.0.1 \\
      --call sip:bob@127.0.0.1:5070 --expect 486")]
pub struct PhoneArgs {
    #[command(flatten)]
    sockets: SocketArgs,

    /// Its address of record
    #[arg(long, value_name = "URI")]
    aor: String,

    /// Where its requests go: a proxy or registrar
    #[arg(long, value_name = "URI")]
    proxy: Option<String>,

    /// Register the address of record, at the proxy or at its own domain
    #[arg(long)]
    register: bool,

    /// The user name for challenges, if not that of its address of record
    #[arg(long, value_name = "NAME")]
    user: Option<String>,

    /// The password for challenges. Others can see it in the list of processes: SANSIP_PASSWORD in
    /// the environment does the same
    #[arg(long, value_name = "PASSWORD")]
    password: Option<Password>,

    /// The only realm whose challenges get the password
    #[arg(long, value_name = "REALM")]
    realm: Option<String>,

    /// Take only calls to the user of its address of record; others get 404
    #[arg(long)]
    only_aor: bool,

    /// How to answer calls: 200 answers, 180 (101 to 199) rings and never answers, 300 to 699
    /// refuses
    #[arg(long, value_name = "STATUS", default_value_t = 200)]
    answer: u16,

    /// Where --answer 3xx sends the caller
    #[arg(long, value_name = "URI")]
    redirect_to: Option<String>,

    /// Ring this long before the final answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    after: u64,

    /// Hang up this long after a call was answered (by default the other side does)
    #[arg(long, value_name = "MS")]
    hangup_after: Option<u64>,

    /// Give an own call up if it is not answered by then
    #[arg(long, value_name = "MS")]
    cancel_after: Option<u64>,

    /// Call this URI
    #[arg(long, value_name = "URI")]
    call: Option<String>,

    /// How many calls to make (1 by default) or, without --call, to take before it ends
    #[arg(long, value_name = "N")]
    calls: Option<u64>,

    /// Calls to begin in a second
    #[arg(long, value_name = "R", default_value_t = 10.0)]
    rate: f64,

    /// The final status that the calls made are to end with, if not 200
    #[arg(long, value_name = "STATUS")]
    expect: Option<u16>,

    /// The port that its session descriptions name
    #[arg(long, value_name = "PORT", default_value_t = 9)]
    media_port: u16,

    /// How many calls it can have at once
    #[arg(long, value_name = "N", default_value_t = 500)]
    at_once: usize,
}

/// Runs it; the exit status.
#[must_use]
pub fn run(args: &PhoneArgs) -> u8 {
    let (setup, plan) = match prepare(args) {
        Ok(ready) => ready,
        Err(problem) => return refuse(&problem),
    };
    match serve(setup, plan) {
        Ok(true) => OK,
        Ok(false) => FAILED,
        Err(problem) => refuse(&problem),
    }
}

fn limits(calls: usize) -> Limits {
    Limits {
        lines: 1,
        calls,
        calls_in: calls,
        dialogs: calls * 2 + 16,
        // A call leaves transactions behind that absorb repetitions for 32 seconds.
        transactions: calls * 12 + 200,
        attempts: calls * 3 + 50,
        forks: 0,
        branches: 1,
        flows: calls + 64,
        queries: calls + 64,
        outputs: 1_024,
        pool: (calls * 24_000).max(8 << 20),
        ..Limits::TESTER
    }
}

fn prepare(args: &PhoneArgs) -> Result<(Setup, Plan), Usage> {
    let uri = |name, text: &str| check_uri(text).map_err(|problem| Usage::new(name, text, problem));
    uri("--aor", &args.aor)?;
    if let Some(text) = &args.proxy {
        uri("--proxy", text)?;
    }
    if let Some(text) = &args.call {
        uri("--call", text)?;
    }
    if let Some(text) = &args.redirect_to {
        uri("--redirect-to", text)?;
    }
    if !(args.rate > 0.0 && args.rate <= 100_000.0) {
        return Err(Usage::new("--rate", &args.rate.to_string(), "not above 0 and to 100000"));
    }
    if args.at_once == 0 || args.at_once > 100_000 {
        return Err(Usage::new("--at-once", &args.at_once.to_string(), "not from 1 to 100000"));
    }
    if let Some(status) = args.expect.filter(|s| !(200..700).contains(s)) {
        return Err(Usage::new("--expect", &status.to_string(), "not a final status (200 to 699)"));
    }
    let reaction = reaction(args)?;
    let mut setup = Setup::new(limits(args.at_once));
    args.sockets.apply(&mut setup)?;
    setup.config.roles = Roles { ua: true, proxy: false, registrar: false };
    setup.config.product = concat!("sansip/", env!("CARGO_PKG_VERSION")).into();
    let host = match (&setup.advertise, setup.listens.first()) {
        (Some(advertise), _) => advertise.host.clone(),
        (None, Some(listen)) => host_text(outward(listen.address.ip())),
        (None, None) => String::new(),
    };
    let plan = Plan {
        aor: args.aor.clone(),
        proxy: args.proxy.clone().unwrap_or_default(),
        register: args.register,
        only_aor: args.only_aor,
        reaction,
        ring: (args.after > 0).then_some(0),
        after: args.after,
        hangup_after: args.hangup_after,
        cancel_after: args.cancel_after,
        target: args.call.clone(),
        calls: args.calls,
        rate: args.rate,
        expect: args.expect,
        user: args.user.clone().unwrap_or_default(),
        realm: args.realm.clone().unwrap_or_default(),
        password: args
            .password
            .clone()
            .or_else(|| std::env::var("SANSIP_PASSWORD").ok().map(Password)),
        media: (host, args.media_port),
    };
    Ok((setup, plan))
}

fn reaction(args: &PhoneArgs) -> Result<Reaction, Usage> {
    let wrong = |problem: &str| Usage::new("--answer", &args.answer.to_string(), problem);
    match (args.answer, &args.redirect_to) {
        (101..=199, _) => Ok(Reaction::Ring(args.answer)),
        (200, _) => Ok(Reaction::Answer),
        (300..=399, Some(to)) => Ok(Reaction::Redirect(args.answer, to.clone())),
        (300..=399, None) => Err(wrong("say with --redirect-to where the caller shall go")),
        (400..=699, _) => Ok(Reaction::Refuse(args.answer)),
        _ => Err(wrong("not 200, 101 to 199 or 300 to 699")),
    }
}

fn serve(setup: Setup, plan: Plan) -> Result<bool, OpenError> {
    runtime()?.block_on(async {
        let mut driver = Driver::open(setup, Phone::new(plan, Report::default()))?;
        let addresses = driver.addresses().to_vec();
        driver.app.report().listening(&addresses);
        run_until_signal(&mut driver).await;
        let (good, bad) = (driver.app.good, driver.app.bad);
        let mut line = stats_line("stopped", &driver);
        line.insert("good".into(), json!(good));
        line.insert("bad".into(), json!(bad));
        driver.app.report().line(&Value::Object(line));
        Ok(bad == 0)
    })
}
