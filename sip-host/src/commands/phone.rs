//! `sansip phone`.

use std::cell::RefCell;
use std::io::{BufRead, IsTerminal};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;

use clap::Args;
use sansip::{Limits, Roles};
use serde_json::{Value, json};

use super::{FAILED, OK, SocketArgs, refuse, run_until_signal, runtime, stats_line};
use crate::driver::{Driver, OpenError, Setup};
use crate::listen::{Usage, outward};
use crate::phone::console::{Console, Orders, Plain, Shared};
use crate::phone::desk::{Desk, Password, Settings};
use crate::phone::media::OwnMedia;
use crate::phone::script::{self, Runner};
use crate::phone::{Phone, Plan, Reaction, terminal};
use crate::proxy::routes::check_uri;
use crate::report::Report;

/// A phone: on a terminal, from a script or unattended
///
/// On a terminal it takes commands: 'help' lists them. With --script it takes them from a file,
/// which can also wait for events and check what is so.
///
/// Elsewhere, or with one of the options of an unattended phone (--call to --at-once), it follows
/// these options: without --call it takes the calls that reach it, until Ctrl-C or until it has had
/// --calls of them; with --call it calls, and ends when its calls have. Each event is one JSON line.
///
/// Exit status: 0 if all went as wanted, 1 if a call or a line of the script did not, 2 for a wrong
/// argument.
#[derive(Args, Debug)]
#[command(after_help = "\
A phone to type at, registered at a proxy:
  sansip phone --listen udp:127.0.0.1:5070 --aor sip:alice@example.com \\
      --proxy sip:127.0.0.1:5060 --register

A script: one command a line, and wait, sleep, expect, fails and say:
  call sip:bob@127.0.0.1:5070
  wait progress 1 status=180 within 2
  wait answered 1
  expect call 1 state=active
  fails answer 1
  sleep 0.5
  hangup
  wait ended 1 why=hangup
  expect calls 0

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

    /// The user name that challenges are answered with, if it is not the user of the address of
    /// record
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    auth_user: String,

    /// Where the password is: the first line of this file. Else the variable SANSIP_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Register the address of record, at the proxy or at its own domain
    #[arg(long)]
    register: bool,

    /// Take only calls to the user of its address of record; others get 404
    #[arg(long)]
    only_aor: bool,

    /// Take the commands from this file; '-' takes them from standard input, line by line
    #[arg(long, value_name = "FILE", conflicts_with_all = UNATTENDED)]
    script: Option<PathBuf>,

    /// With --script: tell each event as a JSON line
    #[arg(long, requires = "script")]
    json: bool,

    /// Do not ring by itself when a call comes in (on a terminal or from a script)
    #[arg(long)]
    no_ring: bool,

    /// Ask before a call is made that another phone asks for (on a terminal or from a script)
    #[arg(long)]
    ask_transfers: bool,

    /// Where the lines typed are kept for the next time; empty: nowhere
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,

    /// How to answer calls: 200 answers, 180 (101 to 199) rings and never answers, 300 to 699
    /// refuses
    #[arg(long, value_name = "STATUS")]
    answer: Option<u16>,

    /// Where --answer 3xx sends the caller
    #[arg(long, value_name = "URI")]
    redirect_to: Option<String>,

    /// Ring this long before the final answer
    #[arg(long, value_name = "MS")]
    after: Option<u64>,

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

    /// The port that its session descriptions name: it sends and hears nothing itself
    #[arg(long, alias = "media-port", value_name = "PORT", default_value = "9")]
    rtp_port: NonZeroU16,

    /// A codec of its session descriptions: PCMU, PCMA, G722, G729, GSM, opus, telephone-event. May
    /// be given several times, the best first (by default PCMU, PCMA and telephone-event)
    #[arg(long, value_name = "NAME")]
    codec: Vec<String>,

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
    let served = match &args.script {
        Some(file) => return from_script(args, setup, plan, file),
        None if is_for_a_person(args) => at_terminal(args, setup, plan),
        None => serve(setup, plan),
    };
    match served {
        Ok(true) => OK,
        Ok(false) => FAILED,
        Err(problem) => refuse(&problem),
    }
}

/// The options that only an unattended phone has.
const UNATTENDED: [&str; 10] = [
    "answer",
    "redirect_to",
    "after",
    "hangup_after",
    "cancel_after",
    "call",
    "calls",
    "rate",
    "expect",
    "at_once",
];

/// Whether somebody sits there and no plan is to be followed.
fn is_for_a_person(args: &PhoneArgs) -> bool {
    let planned = args.answer.is_some()
        || args.redirect_to.is_some()
        || args.after.is_some()
        || args.hangup_after.is_some()
        || args.cancel_after.is_some()
        || args.call.is_some()
        || args.calls.is_some()
        || args.expect.is_some();
    !planned && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
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
    let bound = setup.listens.first().map(|listen| outward(listen.address.ip()));
    let told = setup.advertise.as_ref().and_then(|a| a.host.trim_matches(['[', ']']).parse().ok());
    let address = told.or(bound).unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
    let plan = Plan {
        auth_user: args.auth_user.clone(),
        password: password(args.password_file.as_deref())?,
        aor: args.aor.clone(),
        proxy: args.proxy.clone().unwrap_or_default(),
        register: args.register,
        only_aor: args.only_aor,
        reaction,
        ring: args.after.filter(|ms| *ms > 0).map(|_| 0),
        after: args.after.unwrap_or(0),
        hangup_after: args.hangup_after,
        cancel_after: args.cancel_after,
        target: args.call.clone(),
        calls: args.calls,
        rate: args.rate,
        expect: args.expect,
        media: OwnMedia::new(address, args.rtp_port.get(), &args.codec)?,
    };
    Ok((setup, plan))
}

fn password(file: Option<&Path>) -> Result<Option<Password>, Usage> {
    let Some(file) = file else {
        return Ok(std::env::var("SANSIP_PASSWORD").ok().map(Password));
    };
    let wrong = |problem| Usage::new("--password-file", &file.display().to_string(), problem);
    let text = std::fs::read_to_string(file).map_err(|why| wrong(why.to_string()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Some(Password(line.to_owned()))),
        None => Err(wrong("its first line is empty".to_owned())),
    }
}

fn reaction(args: &PhoneArgs) -> Result<Reaction, Usage> {
    let answer = args.answer.unwrap_or(200);
    let wrong = |problem: &str| Usage::new("--answer", &answer.to_string(), problem);
    match (answer, &args.redirect_to) {
        (101..=199, _) => Ok(Reaction::Ring(answer)),
        (200, _) => Ok(Reaction::Answer),
        (300..=399, Some(to)) => Ok(Reaction::Redirect(answer, to.clone())),
        (300..=399, None) => Err(wrong("say with --redirect-to where the caller shall go")),
        (400..=699, _) => Ok(Reaction::Refuse(answer)),
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

fn desk(args: &PhoneArgs, plan: Plan) -> Desk {
    Desk::new(Settings {
        aor: plan.aor,
        proxy: plan.proxy,
        register: plan.register,
        only_aor: plan.only_aor,
        rings: !args.no_ring,
        asks: args.ask_transfers,
        auth_user: plan.auth_user,
        password: plan.password,
        media: plan.media,
    })
}

fn from_script(args: &PhoneArgs, setup: Setup, plan: Plan, file: &Path) -> u8 {
    let name = file.display();
    let (runner, lines) = if file.as_os_str() == "-" {
        (Runner::growing(), Some(standard_input()))
    } else {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(why) => return refuse(&format!("--script {name}: {why}")),
        };
        match script::read(&text) {
            Ok(steps) => (Runner::whole(steps), None),
            Err(wrong) => return refuse(&format!("{name}:{}: {}", wrong.line, wrong.text)),
        }
    };
    let screen: Shared = Rc::new(RefCell::new(Plain { json: args.json }));
    let console = Console::new(desk(args, plan), Orders::Script(Box::new(runner)), screen);
    let driver = match operate(setup, console, lines) {
        Ok(driver) => driver,
        Err(problem) => return refuse(&problem),
    };
    let Some(runner) = driver.app.script() else { return FAILED };
    match runner.failure() {
        Some(failure) => {
            eprintln!("sansip: {name}:{}: {}", failure.line, failure.text);
            FAILED
        }
        None if !runner.is_done() => {
            eprintln!("sansip: {name}: stopped before its end");
            FAILED
        }
        None => OK,
    }
}

fn at_terminal(args: &PhoneArgs, setup: Setup, plan: Plan) -> Result<bool, OpenError> {
    let history = match &args.history {
        Some(path) => Some(path.clone()).filter(|p| !p.as_os_str().is_empty()),
        None => terminal::history_file(),
    };
    let saved = terminal::Saved::now();
    let (terminal, lines) = match terminal::open(history) {
        Ok(open) => open,
        Err(why) => {
            eprintln!("sansip: the terminal cannot be used: {why}");
            return Ok(false);
        }
    };
    let screen: Shared = Rc::new(RefCell::new(terminal));
    let console = Console::new(desk(args, plan), Orders::Person(Vec::new()), screen);
    let ended = operate(setup, console, Some(lines));
    saved.restore();
    ended.map(|_| true)
}

/// The lines of standard input as they come; `None` is their end.
fn standard_input() -> terminal::Lines {
    let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(Some(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(None);
    });
    lines
}

/// Runs the phone until it is done, and gives it the lines that come.
fn operate(
    setup: Setup,
    console: Console,
    mut lines: Option<terminal::Lines>,
) -> Result<Driver<Console>, OpenError> {
    runtime()?.block_on(async {
        let tap = console.tap();
        let mut driver = Driver::open(setup, console)?;
        driver.tap(tap);
        let addresses = driver.addresses().to_vec();
        driver.app.listening(&addresses);
        let mut signals = super::Signals::stop();
        std::future::poll_fn(|cx| {
            while signals.poll(cx).is_ready() {
                driver.stop();
            }
            while let Some(Poll::Ready(Some(line))) = lines.as_mut().map(|l| l.poll_recv(cx)) {
                driver.app.input(line);
            }
            driver.poll(cx)
        })
        .await;
        Ok(driver)
    })
}
