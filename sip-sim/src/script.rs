//! Scripts that name the millisecond.
//!
//! A script is a table of lines in the order of time. A line whose sender is a scripted party makes
//! it send; a line whose sender is an engine says what the engine has to send at that millisecond.
//! At the end the network must have carried these packets and no others.
//!
//! ```text
//!      0  alice > p     INVITE sip:bob@example.com   # alice is scripted: she sends
//!      0  p > alice     100                          # p is an engine: this is expected
//!      0  p > bob       INVITE                 lost  # the network loses it
//!    500  p > bob       INVITE
//!    700  bob > p       486 | Reason: SIP;cause=17   # scripted: sets a field
//!    700  p > bob       ACK
//!    700  p > alice     486 | Reason: cause=17       # expected: the field holds this text
//!    700  alice > p     ACK
//!    800  carol: invite sip:bob@example.com          # a verb for an engine's application
//!  32700  quiet                                      # nothing else up to here
//! ```
//!
//! `200 BYE` names a response of one method; `lost` and `| Name: value` come last; `#` begins a
//! comment. Lines of one millisecond between different pairs of nodes may come in any order: the
//! wire does not show one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::hand::What;
use crate::ladder;
use crate::network::NodeId;
use crate::text::Message;
use crate::trace::{Fate, Loss, Packet};
use crate::world::{Node, World};

#[derive(Clone, Debug)]
struct Line {
    number: usize,
    text: String,
    at: u64,
    doing: Doing,
}

#[derive(Clone, Debug)]
enum Doing {
    Packet {
        from: NodeId,
        to: NodeId,
        what: What,
        uri: String,
        lost: bool,
        fields: Vec<(String, String)>,
    },
    Verb {
        node: NodeId,
        words: Vec<String>,
    },
    Quiet,
}

type Reading<T> = Result<T, String>;

impl World {
    /// Runs a script from now on; its milliseconds count from the start of the world. See
    /// [`crate::script`] for the form.
    ///
    /// # Panics
    /// Where the script cannot be read, or where the trace differs from it: with the line, what
    /// came instead, the nearest packet, and the ladder.
    #[track_caller]
    pub fn script(&mut self, text: &str) {
        if let Err(trouble) = self.try_script(text) {
            panic!("{trouble}");
        }
    }

    /// Like [`World::script`], but gives the trouble back as text.
    ///
    /// # Errors
    /// What [`World::script`] panics with.
    pub fn try_script(&mut self, text: &str) -> Result<(), String> {
        let lines = self.read_script(text)?;
        let first = self.net.trace.sent();
        self.arrange_losses(&lines);
        for line in &lines {
            self.run_until(line.at);
            self.enact(line).map_err(|why| self.failure(first, line, &why, &[]))?;
        }
        self.run_until(self.now());
        self.compare(first, &lines)
    }

    fn read_script(&self, text: &str) -> Reading<Vec<Line>> {
        let mut lines: Vec<Line> = Vec::new();
        for (i, raw) in text.lines().enumerate() {
            let text = raw.split_once('#').map_or(raw, |(before, _)| before).trim();
            if text.is_empty() {
                continue;
            }
            let trouble = |why: String| format!("script line {}: {why}\n    {}", i + 1, raw.trim());
            let (at, doing) = self.read_line(text).map_err(trouble)?;
            let last = lines.last().map_or(self.now(), |l| l.at);
            if at < last {
                return Err(trouble(format!("{at} ms is before {last} ms")));
            }
            lines.push(Line { number: i + 1, text: text.to_string(), at, doing });
        }
        Ok(lines)
    }

    fn read_line(&self, text: &str) -> Reading<(u64, Doing)> {
        let (time, rest) = text.split_once(char::is_whitespace).ok_or("a time and what happens")?;
        let at = time.parse().map_err(|_| format!("{time:?} is no millisecond"))?;
        let rest = rest.trim();
        let node = |name: &str| {
            self.find(name.trim()).ok_or_else(|| format!("there is no node {:?}", name.trim()))
        };
        if rest == "quiet" {
            return Ok((at, Doing::Quiet));
        }
        let (before, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if let Some(name) = before.strip_suffix(':') {
            let words = after.split_whitespace().map(str::to_string).collect();
            return Ok((at, Doing::Verb { node: node(name)?, words }));
        }
        let mut parts = rest.split(" | ");
        let head = parts.next().unwrap_or("");
        let mut fields = Vec::new();
        for part in parts {
            let (name, value) = part.split_once(':').ok_or("a field is `Name: value`")?;
            fields.push((name.trim().to_string(), value.trim().to_string()));
        }
        let (from, rest) = head.split_once('>').ok_or("`from > to` or `node: verb`")?;
        let mut words = rest.split_whitespace();
        let to = node(words.next().unwrap_or(""))?;
        let mut words: Vec<&str> = words.collect();
        let lost = words.last() == Some(&"lost");
        if lost {
            words.pop();
        }
        let is_status = words.first().is_some_and(|w| w.parse::<u16>().is_ok());
        let (what, uri) = match words.as_slice() {
            [status, method] if is_status => (What::of(&format!("{status} {method}")), ""),
            [one] => (What::of(one), ""),
            [method, uri] => (What::of(method), *uri),
            _ => return Err("a method or a status is missing".to_string()),
        };
        let uri = uri.to_string();
        Ok((at, Doing::Packet { from: node(from)?, to, what, uri, lost, fields }))
    }

    /// Tells the network which packets to lose: the nth from one node to another.
    fn arrange_losses(&mut self, lines: &[Line]) {
        let mut counts = BTreeMap::new();
        for line in lines {
            let Doing::Packet { from, to, lost, .. } = &line.doing else { continue };
            let start = self.net.count(*from, *to);
            let count = counts.entry((*from, *to)).or_insert(start);
            if *lost {
                self.net.lose(*from, *to, *count);
            }
            *count += 1;
        }
    }

    fn enact(&mut self, line: &Line) -> Result<(), String> {
        match &line.doing {
            Doing::Quiet => Ok(()),
            Doing::Verb { node, words } => self.verb(*node, words),
            Doing::Packet { from, to, what, uri, fields, .. } => {
                if matches!(self.nodes.get(from.0), Some(Node::Party(_))) {
                    self.party_sends(*from, *to, what, uri, fields)?;
                    self.run_until(self.now());
                }
                Ok(())
            }
        }
    }

    fn party_sends(
        &mut self,
        from: NodeId,
        to: NodeId,
        what: &What,
        uri: &str,
        fields: &[(String, String)],
    ) -> Result<(), String> {
        let to = self.address_of(to).ok_or("the receiver has no address")?;
        let mut hand = self.party(from);
        let party = hand.state();
        if party.next_hop.is_none() {
            party.next_hop = Some(to);
        }
        let edit = |m: &mut Message| {
            for (name, value) in fields {
                m.set(name, value.clone());
            }
        };
        if let Some(status) = what.status {
            if !party.can_answer(&what.method) {
                return Err("it has no request to answer".to_string());
            }
            hand.respond_with(status, &what.method, edit);
            return Ok(());
        }
        let answered = party.leg().is_some_and(|l| l.invite_final.is_some());
        let invited = party.leg().is_some_and(|l| l.invite.is_some());
        let mut message = match what.method.as_str() {
            "ACK" if !answered => return Err("it has no final response to acknowledge".to_string()),
            "CANCEL" if !invited => return Err("it has no INVITE to cancel".to_string()),
            "ACK" => party.ack(),
            "CANCEL" => party.cancel(),
            method if uri.is_empty() && party.leg().is_none() => {
                return Err(format!("{method} needs a Request-URI: there is no dialog"));
            }
            method if uri.is_empty() => party.within(method),
            method => party.request(method, uri),
        };
        edit(&mut message);
        hand.send(message);
        Ok(())
    }

    fn compare(&self, first: u64, lines: &[Line]) -> Result<(), String> {
        let came: Vec<&Packet> = self
            .net
            .trace
            .packets()
            .filter(|p| p.number >= first && !p.duplicate && p.sent <= self.now())
            .collect();
        let mut taken = vec![false; came.len()];
        for line in lines.iter().filter(|l| matches!(l.doing, Doing::Packet { .. })) {
            // The first packet of that pair which no line has taken: order within a pair counts.
            let next = came.iter().enumerate().find(|(i, p)| !taken[*i] && pair(line, p));
            match next {
                Some((i, p)) if fits(line, p) => taken[i] = true,
                other => {
                    let mut why = match other {
                        Some((_, p)) => format!("came      {}", self.describe(p)),
                        None => "came      nothing more between these two".to_string(),
                    };
                    let named = other.filter(|(_, p)| is_named(line, p));
                    if let Some(difference) = named.and_then(|(_, p)| difference(line, p)) {
                        why.push_str(&format!("\n            {difference}"));
                    }
                    let rest: Vec<_> =
                        came.iter().zip(&taken).filter(|(_, t)| !**t).map(|(p, _)| *p).collect();
                    return Err(self.failure(first, line, &why, &rest));
                }
            }
        }
        match came.iter().zip(&taken).find(|(_, taken)| !**taken) {
            None => Ok(()),
            Some((p, _)) => Err(format!(
                "the script has no line for\n\n  came      {}\n\n{}",
                self.describe(p),
                self.ladder_since(first)
            )),
        }
    }

    fn describe(&self, p: &Packet) -> String {
        let name = |n: NodeId| self.names().get(n.0).map_or("?", String::as_str);
        let to = p.to_node.map_or("nobody", name);
        let label = crate::text::label(&p.bytes);
        let lost = if p.is_lost() { "  lost" } else { "" };
        let pair = format!("{} > {to}", name(p.from_node));
        format!("{:>6}  {pair:<18} {label}{lost}", p.sent)
    }

    fn failure(&self, first: u64, line: &Line, why: &str, rest: &[&Packet]) -> String {
        let mut out = format!("script line {} did not come true\n\n", line.number);
        let (time, what) = line.text.split_once(char::is_whitespace).unwrap_or(("", ""));
        let what = what.trim();
        let (pair, message) = match what.split_once('>') {
            Some((from, to)) => {
                let (to, message) = to.trim().split_once(char::is_whitespace).unwrap_or((to, ""));
                (format!("{} > {}", from.trim(), to.trim()), message.trim())
            }
            None => (what.to_string(), ""),
        };
        let _ = writeln!(out, "  expected  {time:>6}  {pair:<18} {message}");
        let _ = writeln!(out, "  {why}");
        let came = |p: &Packet| why.contains(&self.describe(p));
        if let Some(nearest) = nearest(line, rest).filter(|p| !came(p)) {
            let _ = writeln!(out, "  nearest   {}", self.describe(nearest));
            if let Some(difference) = difference(line, nearest) {
                let _ = writeln!(out, "            {difference}");
            }
        }
        out.push('\n');
        out.push_str(&self.ladder_since(first));
        out
    }

    fn ladder_since(&self, first: u64) -> String {
        let packets = self.net.trace.packets().filter(|p| p.number >= first);
        ladder::of_packets(packets, self.names()).to_string()
    }
}

fn pair(line: &Line, p: &Packet) -> bool {
    matches!(&line.doing, Doing::Packet { from, to, .. }
        if p.from_node == *from && p.to_node == Some(*to))
}

fn is_named(line: &Line, p: &Packet) -> bool {
    let Doing::Packet { what, .. } = &line.doing else { return false };
    Message::parse(&p.bytes).is_some_and(|m| what.fits(&m))
}

fn fits(line: &Line, p: &Packet) -> bool {
    is_named(line, p) && difference(line, p).is_none()
}

/// What a packet of the right pair and name does not have, in words.
fn difference(line: &Line, p: &Packet) -> Option<String> {
    let Doing::Packet { uri, lost, fields, .. } = &line.doing else { return None };
    let message = Message::parse(&p.bytes)?;
    if p.sent != line.at {
        return Some(format!("it came at {} ms", p.sent));
    }
    let on_purpose = p.fate == Fate::Lost(Loss::OnPurpose);
    if *lost != (on_purpose || p.is_lost()) {
        return Some(if *lost { "it was not lost" } else { "it was lost" }.to_string());
    }
    if !uri.is_empty() && message.uri() != uri {
        return Some(format!("its Request-URI is {}", message.uri()));
    }
    fields.iter().find_map(|(name, value)| {
        let all = message.list(name);
        let there = message.header(name).is_some_and(|v| v.contains(value));
        (!there && !all.iter().any(|v| v.contains(value.as_str())))
            .then(|| format!("its {name} is {:?}", message.header(name).unwrap_or("")))
    })
}

/// The packet most like what a line wants: of its name, else of its pair, then by time.
fn nearest<'a>(line: &Line, rest: &[&'a Packet]) -> Option<&'a Packet> {
    let key = |p: &&&Packet| (!pair(line, p), p.sent.abs_diff(line.at));
    rest.iter().filter(|p| is_named(line, p)).min_by_key(key).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        let mut world = World::new(1);
        world.add_party("alice", "10.0.0.1:5060");
        world.add_party("bob", "10.0.0.2:5060");
        world
    }

    const CALL: &str = "
         0  alice > bob   INVITE sip:bob@example.com
       200  bob > alice   180
       300  bob > alice   200 INVITE
       300  alice > bob   ACK
      1000  bob > alice   BYE
      1000  alice > bob   200 BYE
    ";

    #[test]
    fn a_table_drives_parties_through_a_whole_call() {
        let mut w = world();
        w.script(CALL);
        let sent: Vec<_> =
            w.net.trace.packets().map(|p| Message::parse(&p.bytes).unwrap()).collect();
        let (invite, ok, ack, bye) = (&sent[0], &sent[2], &sent[3], &sent[4]);
        assert_eq!(ok.branch(), invite.branch());
        assert_ne!(ack.branch(), invite.branch());
        assert_eq!(ack.cseq(), (1, "ACK"));
        assert_eq!(ack.uri(), "sip:bob@10.0.0.2:5060");
        assert_eq!(ack.tag("To"), ok.tag("To"));
        assert_eq!(bye.tag("From"), ok.tag("To"));
        assert_eq!(bye.tag("To"), invite.tag("From"));
        assert_eq!(bye.cseq(), (1, "BYE"));
    }

    #[test]
    fn a_lost_packet_of_a_script_does_not_arrive() {
        let mut w = world();
        w.script("0 alice > bob OPTIONS sip:bob@example.com lost\n10 quiet");
        let trouble = w.try_script("10 bob > alice 200").unwrap_err();
        assert!(trouble.contains("no request to answer"), "{trouble}");
    }

    #[test]
    fn what_differs_is_told_with_the_line_the_nearest_and_the_ladder() {
        let mut w = world();
        w.net.set_default(crate::network::Link::slow(5));
        // Parties do as they are told, so differences are made by comparing with another script.
        w.script(&CALL.replace("300  alice", "310  alice").replace("1000  alice", "1100  alice"));
        let lines = w.read_script("");
        assert!(lines.unwrap().is_empty());
        let check = |script: &str| {
            let mut reader = world();
            reader.clock = crate::clock::Clock::default();
            let lines = reader.read_script(script).unwrap();
            w.compare(0, &lines).unwrap_err()
        };
        let trouble = check("0 alice > bob INVITE\n200 bob > alice 183\n400 quiet");
        println!("{trouble}");
        assert!(trouble.contains("script line 2"), "{trouble}");
        assert!(trouble.contains("expected     200  bob > alice        183"), "{trouble}");
        assert!(trouble.contains("came         200  bob > alice        180 Ringing"), "{trouble}");
        let trouble = check("0 alice > bob INVITE\n150 bob > alice 180");
        assert!(trouble.contains("it came at 200 ms"), "{trouble}");
        let trouble = check("0 alice > bob INVITE | Max-Forwards: 69");
        assert!(trouble.contains("its Max-Forwards is \"70\""), "{trouble}");
        let trouble = check("0 alice > bob INVITE");
        assert!(trouble.contains("the script has no line for"), "{trouble}");
    }

    #[test]
    fn a_script_that_cannot_be_read_says_where() {
        let mut w = world();
        for (script, why) in [
            ("0 alice > carol INVITE", "there is no node \"carol\""),
            ("x alice > bob INVITE", "no millisecond"),
            ("5 quiet\n4 quiet", "line 2: 4 ms is before 5 ms"),
            ("0 alice > bob", "a method or a status is missing"),
            ("0 alice > bob BYE", "needs a Request-URI"),
        ] {
            let trouble = w.try_script(script).unwrap_err();
            assert!(trouble.contains(why), "{trouble}");
        }
    }
}
