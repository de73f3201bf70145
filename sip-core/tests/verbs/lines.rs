//! The verbs of a line. It takes each in every state, since what it wants of its registrar is one
//! thing and what is on its way another (RFC 3261 10.2); one that was taken out is `Gone`.

use crate::name_of;
use crate::peer::{Bench, Out};
use sansip::{
    Config, Error, Event, Extras, Input, LineChange, LineConfig, LineHandle, Policy, Retransmit,
};

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum S {
    Added,
    /// Its first REGISTER is on its way.
    Registering,
    /// The same, and its user's secret is asked for.
    Challenged,
    Registered,
    /// Registered, which is still to be polled.
    Unshown,
    Refreshing,
    Unregistering,
    Unregistered,
    Failed,
    /// Failed, which is still to be polled.
    FailedUnshown,
    Removed,
    /// Of another engine, or never there.
    Foreign,
}

const STATES: [S; 12] = [
    S::Added,
    S::Registering,
    S::Challenged,
    S::Registered,
    S::Unshown,
    S::Refreshing,
    S::Unregistering,
    S::Unregistered,
    S::Failed,
    S::FailedUnshown,
    S::Removed,
    S::Foreign,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum V {
    Register,
    Unregister,
    SetPolicy,
    Remove,
    Invite,
    Refer,
    Options,
}

const VERBS: [V; 7] =
    [V::Register, V::Unregister, V::SetPolicy, V::Remove, V::Invite, V::Refer, V::Options];

const PEER_URI: &str = "sip:p@10.0.0.9";

fn input(verb: V, line: LineHandle) -> Input<'static> {
    let extras = Extras::default();
    match verb {
        V::Register => Input::Register { line },
        V::Unregister => Input::Unregister { line },
        V::SetPolicy => Input::SetPolicy { line, policy: Policy::default() },
        V::Remove => Input::RemoveLine { line },
        V::Invite => Input::Invite { line, target: PEER_URI, user: 0, extras },
        V::Refer => Input::Refer { line, target: PEER_URI, to: PEER_URI, user: 0, extras },
        V::Options => Input::Options { line: Some(line), target: PEER_URI, user: 0, extras },
    }
}

/// The inputs that have a row here.
pub fn rows() -> Vec<String> {
    let none = LineHandle::from_raw(0);
    let of_lines = VERBS.iter().map(|verb| name_of(&input(*verb, none)));
    of_lines.chain(["AddLine".to_string()]).collect()
}

struct World {
    bench: Bench,
    line: LineHandle,
    ours: Option<Out>,
}

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5\r\n";

impl World {
    fn new(state: S) -> Self {
        let mut config = Config::new([6; 32]);
        config.ask_media = false;
        config.retransmit = Retransmit::Rfc;
        let mut bench = Bench::new(config);
        let line =
            LineConfig { aor: "sip:ann@10.0.0.9", expires: 600, user: 4, ..LineConfig::default() };
        let line = bench.engine.add_line(bench.at(), line).unwrap();
        let mut world = Self { bench, line, ours: None };
        world.become_(state);
        world
    }

    fn become_(&mut self, state: S) {
        let now = self.bench.at();
        match state {
            S::Added => {}
            S::Removed => self.bench.engine.remove_line(now, self.line).unwrap(),
            S::Foreign => self.line = LineHandle::from_raw(u64::MAX),
            S::Registering => {
                self.bench.engine.register(now, self.line).unwrap();
                self.ours = self.bench.drain().pop();
            }
            S::Challenged => {
                self.become_(S::Registering);
                self.feed("401 Unauthorized", CHALLENGE);
                self.bench.drain();
            }
            S::Unshown => {
                self.become_(S::Registering);
                self.feed("200 OK", "Expires: 600\r\n");
            }
            S::Registered => {
                self.become_(S::Unshown);
                self.bench.drain();
            }
            S::Refreshing => {
                self.become_(S::Registered);
                self.ours = self.bench.run(580_000).pop();
                assert!(self.ours.is_some(), "no refresh");
            }
            S::Unregistering => {
                self.become_(S::Registered);
                self.bench.engine.unregister(self.bench.at(), self.line).unwrap();
                self.ours = self.bench.drain().pop();
            }
            S::Unregistered => {
                self.become_(S::Unregistering);
                self.feed("200 OK", "");
                self.bench.drain();
            }
            S::FailedUnshown => {
                self.become_(S::Registering);
                self.feed("403 Forbidden", "");
            }
            S::Failed => {
                self.become_(S::FailedUnshown);
                self.bench.drain();
            }
        }
    }

    fn feed(&mut self, status: &str, more: &str) {
        let text = self.ours.as_ref().unwrap().answer(status, "", more);
        let path =
            sansip::Path { local: crate::peer::LOCAL, remote: crate::peer::PEER, flow: None };
        self.bench.engine.receive(self.bench.at(), path, text.as_bytes()).unwrap();
    }

    fn apply(&mut self, verb: V) -> Result<(), Error> {
        let now = self.bench.at();
        self.bench.engine.apply(now, &input(verb, self.line)).map(drop)
    }

    /// The registrar grants all that it is sent from now on, the REGISTER on its way too. The
    /// numbers of seconds that were asked for, and whether the line stands registered at the end.
    fn settle(&mut self) -> (Vec<String>, bool) {
        let mut open: Vec<Out> = self.ours.take().into_iter().collect();
        let mut asked = Vec::new();
        let mut registered = false;
        for _ in 0..4 {
            let fresh = self.bench.run(100);
            let sent = fresh.into_iter().filter(|o| o.first_line().starts_with("REGISTER"));
            open.extend(sent);
            for request in std::mem::take(&mut open) {
                let seconds = request.header("Expires").to_string();
                let answer = request.answer("200 OK", "", &format!("Expires: {seconds}\r\n"));
                asked.push(seconds);
                let fresh = self.bench.ask(&answer);
                open.extend(fresh.into_iter().filter(|o| o.first_line().starts_with("REGISTER")));
            }
        }
        for event in &self.bench.events {
            match event {
                Event::Line { line, change: LineChange::Registered { .. }, .. }
                    if *line == self.line =>
                {
                    registered = true;
                }
                Event::Line { line, .. } if *line == self.line => registered = false,
                _ => {}
            }
        }
        (asked, registered)
    }
}

#[test]
fn every_verb_of_a_line_works_or_its_line_is_gone() {
    let mut wrong = Vec::new();
    for state in STATES {
        for verb in VERBS {
            let mut world = World::new(state);
            let before = format!("{:?}", world.bench.engine.stats());
            let got = world.apply(verb);
            let gone = matches!(state, S::Removed | S::Foreign);
            let wanted = if gone { Err(Error::Gone) } else { Ok(()) };
            if got != wanted {
                wrong.push(format!("{verb:?} of {state:?}: {got:?}, not {wanted:?}"));
            } else if gone {
                let after = format!("{:?}", world.bench.engine.stats());
                let sent = world.bench.run(300_000);
                if before != after || !sent.is_empty() {
                    wrong.push(format!("{verb:?} of {state:?}: something changed"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// RFC 3261 10.2: no new REGISTER while one is open; and the last verb has its way.
#[test]
fn a_line_ends_as_the_last_verb_wants_it_from_every_state() {
    for state in STATES {
        if matches!(state, S::Removed | S::Foreign | S::Challenged) {
            continue;
        }
        for (verb, wanted) in [(V::Register, true), (V::Unregister, false)] {
            let mut world = World::new(state);
            let open = world.ours.is_some()
                && matches!(state, S::Registering | S::Refreshing | S::Unregistering);
            if !open {
                world.ours = None;
            }
            world.apply(verb).unwrap();
            let sent = world.bench.drain();
            let fresh = sent.iter().filter(|o| o.first_line().starts_with("REGISTER")).count();
            assert_eq!(fresh, usize::from(!open), "{verb:?} of {state:?}");
            if !open {
                world.ours = sent.into_iter().next_back();
            }
            let (asked, registered) = world.settle();
            assert_eq!(registered, wanted, "{verb:?} of {state:?}: {asked:?}");
        }
        let mut world = World::new(state);
        world.apply(V::Remove).unwrap();
        // What was sent is repeated, as its transaction has it.
        let old = world.ours.take().map_or(String::new(), |o| o.text);
        let more = world.bench.run(10_000_000);
        assert!(more.iter().all(|o| o.text == old), "{state:?}: a line that is gone sends");
    }
}

#[test]
fn a_line_is_added_if_its_addresses_are_usable_and_there_is_room() {
    let uri = Err(Error::Misuse(sansip::Misuse::BadUri));
    let header = Err(Error::Misuse(sansip::Misuse::BadHeader));
    let good = LineConfig { aor: "sip:ann@example.com", ..LineConfig::default() };
    let cases = [
        (good, Ok(())),
        (LineConfig { aor: "sips:ann@example.com", ..good }, Ok(())),
        (LineConfig { aor: "", ..good }, uri),
        (LineConfig { aor: "tel:1", ..good }, uri),
        (LineConfig { proxy: "ann", ..good }, uri),
        (LineConfig { display: "a\r\nb", ..good }, header),
        (LineConfig { auth_user: "a\nb", ..good }, header),
        (LineConfig { auth_realm: "a\0b", ..good }, header),
    ];
    for (line, wanted) in cases {
        let mut world = World::new(S::Added);
        let (now, before) = (world.bench.at(), world.bench.engine.stats());
        let got = world.bench.engine.apply(now, &Input::AddLine { line }).map(drop);
        assert_eq!(got, wanted, "{line:?}");
        let changed = before != world.bench.engine.stats();
        assert_eq!(changed, got.is_ok(), "{line:?}");
    }
    let mut world = World::new(S::Added);
    let now = world.bench.at();
    let full = (0..200).find_map(|_| world.bench.engine.add_line(now, good).err());
    assert_eq!(full, Some(Error::Full(sansip::Limit::Lines)));
}
