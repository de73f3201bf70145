//! The registrar: RFC 3261 10.3. Where the bindings are kept is a question.
//!
//! A REGISTER asks for the bindings of its address of record, applies the rules to them, and asks
//! for the result to be stored under the version that it was made from. If somebody else was faster,
//! the rules are applied again: two REGISTERs for one address of record lose nothing.

mod bindings;
mod rules;

use core::fmt::Write as _;

use alloc::vec::Vec;

use crate::attempt::Down;
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::aor::canonical;
use crate::header::date::Date;
use crate::header::{Essentials, NameAddr, Uri, Value as _};
use crate::limits::Limits;
use crate::path::{Addr, Path, Transport};
use crate::proxy::authenticate::{self, By, Gate, Shown};
use crate::proxy::edge::{has_option, wants_outbound};
use crate::proxy::{OwnRoutes, gruu, is_ours, unsupported};
use crate::store::filled;
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Binding, Owner, OwnerKind, Query, QueryId};
use crate::store::slab::{Slab, handle};
use crate::tx::{Reply, TxHandle};
use crate::wire::name::Name;
use crate::wire::{MessageRef, Writer};

pub use bindings::Bindings;
use bindings::Encoder;
use rules::{Refusal, Rules};

handle!(
    /// A REGISTER that is being worked on.
    JobHandle
);

/// How often the rules are applied before a REGISTER is turned away.
const TRIES: u8 = 4;

#[derive(Debug)]
struct Job {
    tx: TxHandle,
    request: BlockId,
    asked: Option<QueryId>,
    /// The text of the Store question.
    stored: Option<BlockId>,
    /// The way that it came by.
    path: Path,
    tries: u8,
}

/// Where encoded bindings lie: in the question's block, or in our own text up to a length.
#[derive(Clone, Copy)]
enum Kept {
    Block(BlockId),
    Own(usize),
}

/// The REGISTERs that are being worked on.
#[derive(Debug)]
pub struct Registrar {
    jobs: Slab<JobHandle, Job>,
    /// Where bindings are put together, and where Contact is.
    text: Vec<u8>,
    contacts: Vec<u8>,
}

/// Each of them has a question open.
const fn jobs(limits: &Limits) -> usize {
    if limits.forks == 0 { 0 } else { limits.queries }
}

const fn room(limits: &Limits) -> usize {
    if limits.forks == 0 { 0 } else { limits.wire.message as usize }
}

impl Registrar {
    /// A table as `limits` say, for the engine `tag`.
    ///
    /// # Errors
    /// [`Limit::Memory`].
    pub fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        Ok(Self {
            jobs: Slab::new(jobs(limits), tag, Limit::Queries)?,
            text: filled(room(limits), 0)?,
            contacts: filled(room(limits), 0)?,
        })
    }

    /// The bytes that such a table takes.
    #[must_use]
    pub const fn bytes(limits: &Limits) -> usize {
        Slab::<JobHandle, Job>::bytes(jobs(limits)) + 2 * room(limits)
    }

    /// How many REGISTERs are being worked on.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// A REGISTER for a domain of ours. May queue output.
    ///
    /// # Errors
    /// `Full`: nothing has changed; the request is refused with 503, or lost.
    pub fn on_request(
        &mut self,
        down: &mut Down<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if let Some(status) = refusal(down.cx, m, e) {
            let (list, count) = unsupported(m, Name::Require, &KNOWN);
            let count = if status == 420 { count } else { 0 };
            let extra = list.get(..count).unwrap_or(&[]);
            let reply = Reply { extra, ..Reply::default() };
            return down.tx.reply_stateless(down.cx, m, e, path, status, &reply).map(drop);
        }
        // Step 3.
        let gate = authenticate::judge(down.cx, m, path, By::Registrar);
        if let Gate::Closed { stale } = gate {
            return authenticate::refuse(down.tx, down.cx, (m, e, path), By::Registrar, stale);
        }
        let tx = down.tx.open_server(down.cx, Owner::default(), m, e, path)?;
        let begun = self.begin(down, tx, path, (gate == Gate::Ask).then_some(m));
        if begun.is_err() {
            down.tx.end(down.cx, tx);
        }
        begun
    }

    fn begin(
        &mut self,
        down: &mut Down<'_>,
        tx: TxHandle,
        path: &Path,
        to_prove: Option<&MessageRef<'_>>,
    ) -> Result<(), Error> {
        let request = down.tx.request(down.cx, tx).ok_or(Error::Gone)?;
        let job = Job { tx, request, asked: None, stored: None, path: *path, tries: 0 };
        let h = self.jobs.insert(job)?;
        down.cx.pool.hold(request);
        let asked = match to_prove {
            Some(m) => self.ask_secret(down.cx, h, m, path),
            None => self.locate(down.cx, h),
        };
        if asked.is_err() {
            self.end(down.cx, h);
        } else {
            down.tx.set_owner(tx, Owner::new(OwnerKind::Registrar, h.raw()));
        }
        asked
    }

    fn ask_secret(
        &mut self,
        cx: &mut Cx,
        h: JobHandle,
        m: &MessageRef<'_>,
        path: &Path,
    ) -> Result<(), Error> {
        let asker = Owner::new(OwnerKind::Registrar, h.raw());
        let asked = authenticate::ask(cx, asker, m, path, By::Registrar)?;
        self.jobs.live_mut(h)?.asked = Some(asked);
        Ok(())
    }

    /// What the REGISTER's credentials are worth (10.3 steps 3 and 4).
    fn on_secret(
        &mut self,
        down: &mut Down<'_>,
        h: JobHandle,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let job = self.jobs.live(h)?;
        let (request, tx) = (job.request, job.tx);
        let done = if let Answer::Failed = answer {
            self.refuse(down, h, 500)
        } else {
            match authenticate::verify(down.cx, request, query, answer, By::Registrar) {
                Shown::User => match self.locate(down.cx, h) {
                    Ok(()) => return Ok(()),
                    Err(_) => self.refuse(down, h, 503),
                },
                Shown::Other => self.refuse(down, h, 403),
                Shown::Nothing { stale } => {
                    let to = (tx, query.addr.ip);
                    answered(authenticate::reply(down.tx, down.cx, to, By::Registrar, stale))
                }
            }
        };
        self.end(down.cx, h);
        done
    }

    fn locate(&mut self, cx: &mut Cx, h: JobHandle) -> Result<(), Error> {
        let job = self.jobs.live_mut(h)?;
        job.tries += 1;
        let message = MessageRef::lazy(cx.pool.bytes_of(job.request)).ok_or(Error::Gone)?;
        let aor = aor(&message, &mut self.text).ok_or(Error::Full(Limit::MessageBytes))?;
        let asker = Owner::new(OwnerKind::Registrar, h.raw());
        job.asked = Some(cx.ask(Ask::Locate, asker, aor, (Addr::default(), Transport::Udp), 0)?);
        Ok(())
    }

    /// The answer to a question of ours. May queue output.
    ///
    /// # Errors
    /// `Full`, which cannot be where the row of an answer was checked.
    pub fn on_answer(
        &mut self,
        down: &mut Down<'_>,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let h = JobHandle::from_raw(query.asker.object);
        let Some(job) = self.jobs.get_mut(h) else { return Ok(()) };
        job.asked = None;
        if query.ask == Ask::Credentials {
            return self.on_secret(down, h, query, answer);
        }
        let (tries, stored) = (job.tries, job.stored);
        let done = match *answer {
            Answer::Located { version, bindings } => {
                return self.update(down, h, version, bindings);
            }
            Answer::Stored => self.accept(down, h, stored.map_or(Kept::Own(0), Kept::Block)),
            Answer::Conflict if tries < TRIES => {
                if let Some(block) = self.jobs.live_mut(h)?.stored.take() {
                    down.cx.pool.release(block);
                }
                match self.locate(down.cx, h) {
                    Ok(()) => return Ok(()),
                    Err(_) => self.refuse(down, h, 503),
                }
            }
            Answer::Conflict => self.refuse(down, h, 503),
            // 10.3 step 5
            Answer::NotFound => self.refuse(down, h, 404),
            Answer::Reject(status @ 300..=699) => self.refuse(down, h, status),
            // 10.3 step 7
            _ => self.refuse(down, h, 500),
        };
        self.end(down.cx, h);
        done
    }

    /// Applies the rules to the bindings that there are.
    fn update(
        &mut self,
        down: &mut Down<'_>,
        h: JobHandle,
        version: u64,
        existing: &[Binding<'_>],
    ) -> Result<(), Error> {
        let job = self.jobs.live(h)?;
        let mut scratch = core::mem::take(&mut down.cx.scratch);
        let rules = Rules::of(&down.cx.config);
        let applied = apply(down.cx, job, (existing, &rules), &mut self.text, &mut scratch);
        down.cx.scratch = scratch;
        let (applied, len) = applied?;
        let done = match applied {
            Ok(true) => {
                let text = self.text.get(..len).unwrap_or(&[]);
                match store(down.cx, h, text, version) {
                    Ok((query, block)) => {
                        let job = self.jobs.live_mut(h)?;
                        (job.asked, job.stored) = (Some(query), block);
                        return Ok(());
                    }
                    Err(_) => self.refuse(down, h, 503),
                }
            }
            Ok(false) => self.accept(down, h, Kept::Own(len)),
            Err(why) => self.refuse_contact(down, h, why, &rules),
        };
        self.end(down.cx, h);
        done
    }

    /// 200 with all bindings that there are now (10.3 step 8).
    fn accept(&mut self, down: &mut Down<'_>, h: JobHandle, kept: Kept) -> Result<(), Error> {
        let (tx, request) = self.jobs.live(h).map(|j| (j.tx, j.request))?;
        let len = match kept {
            Kept::Block(block) => {
                let text = down.cx.pool.bytes_of(block);
                let place = self.text.get_mut(..text.len()).ok_or(Error::Gone)?;
                place.copy_from_slice(text);
                text.len()
            }
            Kept::Own(len) => len,
        };
        let asked = MessageRef::lazy(down.cx.pool.bytes_of(request)).map(|m| Asks::of(&m));
        let asked = asked.unwrap_or_default();
        let (aor, bindings) = Bindings::open(self.text.get(..len).unwrap_or(&[]));
        let mut date = [0; 40];
        let date = date_now(down.cx, &mut date);
        let gruu = (asked.gruu && down.cx.config.edge.gruu).then_some(aor);
        let Some(end) = write_contacts(down.cx, gruu, bindings, &mut self.contacts) else {
            return self.refuse(down, h, 500);
        };
        let m = MessageRef::lazy(down.cx.pool.bytes_of(request)).filter(|_| asked.path);
        let Some((contacts, room)) = self.contacts.split_at_mut_checked(end) else {
            return self.refuse(down, h, 500);
        };
        let Some(path) = m.map_or(Some(0), |m| write_path(&m, room)) else {
            return self.refuse(down, h, 500);
        };
        let service = core::mem::take(&mut down.cx.config.edge.service_route);
        let require: &[u8] = if asked.outbound { b"outbound" } else { b"" };
        let fields = [
            (Name::Contact, &*contacts),
            (Name::Date, date),
            (Name::Path, room.get(..path).unwrap_or(&[])),
            (Name::ServiceRoute, service.as_bytes()),
            (Name::Require, require),
        ];
        let mut extra = [(Name::Date, &b""[..]); 5];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let count = extra.iter_mut().zip(given).map(|(to, from)| *to = *from).count();
        let reply = Reply { extra: extra.get(..count).unwrap_or(&[]), ..Reply::default() };
        let replied = down.tx.reply(down.cx, tx, 200, &reply);
        down.cx.config.edge.service_route = service;
        answered(replied)
    }

    fn refuse_contact(
        &mut self,
        down: &mut Down<'_>,
        h: JobHandle,
        why: Refusal,
        rules: &Rules,
    ) -> Result<(), Error> {
        let tx = self.jobs.live(h)?.tx;
        let mut least = [0; 12];
        let (status, reason) = match why {
            Refusal::BadContact => (400, None),
            Refusal::TooBrief => (423, None),
            Refusal::OutOfOrder => (500, Some("Out of Order")),
            Refusal::TooMany => (403, Some("Too Many Contacts")),
            Refusal::TooLong => (500, Some("Too Many Bytes of Contacts")),
            Refusal::Ourselves => (403, None),
            Refusal::FirstHop => (439, None),
        };
        let mut w = Text { room: &mut least, len: 0 };
        // Twelve bytes hold any of these numbers.
        let _ = write!(w, "{}", rules.min);
        let len = w.len;
        let min_expires = [(Name::MinExpires, least.get(..len).unwrap_or(&[]))];
        let extra = if status == 423 { &min_expires[..] } else { &[] };
        let reply = Reply { extra, reason, ..Reply::default() };
        answered(down.tx.reply(down.cx, tx, status, &reply))
    }

    fn refuse(&mut self, down: &mut Down<'_>, h: JobHandle, status: u16) -> Result<(), Error> {
        let tx = self.jobs.live(h)?.tx;
        let retry = [(Name::RetryAfter, &b"10"[..])];
        let extra = if status == 503 { &retry[..] } else { &[] };
        let reply = Reply { extra, ..Reply::default() };
        answered(down.tx.reply(down.cx, tx, status, &reply))
    }

    fn end(&mut self, cx: &mut Cx, h: JobHandle) {
        let Some(job) = self.jobs.remove(h) else { return };
        for block in [Some(job.request), job.stored].into_iter().flatten() {
            cx.pool.release(block);
        }
    }
}

/// A transaction that has ended takes no answer; what was stored stays.
fn answered(replied: Result<(), Error>) -> Result<(), Error> {
    match replied {
        Err(Error::Gone | Error::Late) => Ok(()),
        other => other,
    }
}

/// Asks for the bindings in `text` to be stored; the question and a hold on its text.
fn store(
    cx: &mut Cx,
    h: JobHandle,
    text: &[u8],
    version: u64,
) -> Result<(QueryId, Option<BlockId>), Error> {
    let asker = Owner::new(OwnerKind::Registrar, h.raw());
    let to = (Addr::default(), Transport::Udp);
    let query = cx.ask(Ask::Store, asker, text, to, version)?;
    let block = cx.queries.get(query).and_then(|q| q.text);
    if let Some(block) = block {
        cx.pool.hold(block);
    }
    Ok((query, block))
}

/// Whether the REGISTER is refused before anything is asked, and how.
fn refusal(cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<u16> {
    let bytes = m.bytes();
    // The address of record is a sip or sips URI (10.3, RFC 4475 3.3.4).
    let Some(to) = e.to.filter(|to| to.uri.is_sip()) else { return Some(400) };
    // Step 2.
    if unsupported(m, Name::Require, &KNOWN).1 > 0 {
        return Some(420);
    }
    // Step 5. A request that names a domain is for an address of record of that domain.
    let host = |uri: &Uri| uri.host.of(bytes);
    let other = |uri: &Uri| {
        let both = cx.config.is_domain(host(uri)) && cx.config.is_domain(host(&to.uri));
        both && !host(uri).eq_ignore_ascii_case(host(&to.uri))
    };
    if !is_ours(cx, bytes, &to.uri) || e.uri.as_ref().is_some_and(other) {
        return Some(404);
    }
    // Step 6.
    match rules::check(m) {
        Ok(()) => None,
        Err(Refusal::Ourselves) => Some(403),
        Err(Refusal::FirstHop) => Some(439),
        Err(_) => Some(400),
    }
}

/// The extensions that a REGISTER may require of the registrar: those of RFC 3327, 5626 and 5627.
const KNOWN: [&[u8]; 3] = [b"path", b"outbound", b"gruu"];

/// Applies the rules to a job's request; what comes of it, and the length of the text that says what
/// shall be.
fn apply(
    cx: &Cx,
    job: &Job,
    (existing, rules): (&[Binding<'_>], &Rules),
    text: &mut [u8],
    scratch: &mut [u8],
) -> Result<(Result<bool, Refusal>, usize), Error> {
    let message = MessageRef::lazy(cx.pool.bytes_of(job.request)).ok_or(Error::Gone)?;
    let aor = aor(&message, scratch).ok_or(Error::Full(Limit::MessageBytes))?;
    let mut out = Encoder::new(text, aor)?;
    let own = OwnRoutes::home(cx, &message, &job.path);
    let applied = rules::apply(&message, own.lines(), existing, rules, &mut out);
    Ok((applied, out.len()))
}

/// The canonical address of record of a REGISTER.
fn aor<'a>(m: &MessageRef<'_>, out: &'a mut [u8]) -> Option<&'a [u8]> {
    let to = NameAddr::parse(m.bytes(), m.header_span(Name::To)?).ok()?;
    canonical(m.text(to.uri_text), out)
}

/// The Date field, where the time is known.
fn date_now<'a>(cx: &Cx, out: &'a mut [u8]) -> &'a [u8] {
    let unix = cx.config.unix_at_zero;
    if unix == 0 {
        return &[];
    }
    let seconds = unix.saturating_add(cx.now.0) / 1_000;
    let date = Date { unix: i64::try_from(seconds).unwrap_or(i64::MAX) };
    let mut w = Writer::new(out);
    // Written as a field, of which the value is taken.
    if w.field(Name::Date, |v| date.write(b"", v)).is_err() {
        return &[];
    }
    let end = w.len().saturating_sub(2);
    out.get(DATE.len()..end).unwrap_or(&[])
}

const DATE: &[u8] = b"Date: ";

/// What a REGISTER asks to be told.
#[derive(Clone, Copy, Default)]
struct Asks {
    path: bool,
    gruu: bool,
    outbound: bool,
}

impl Asks {
    fn of(m: &MessageRef<'_>) -> Self {
        Self {
            path: has_option(m, Name::Supported, b"path"),
            gruu: has_option(m, Name::Supported, b"gruu"),
            outbound: wants_outbound(m),
        }
    }
}

/// Writes the Path of a REGISTER once more (RFC 3327 5.3); `None` when it does not fit.
fn write_path(m: &MessageRef<'_>, out: &mut [u8]) -> Option<usize> {
    let mut len = 0usize;
    for (i, value) in m.values(Name::Path).enumerate() {
        for part in [if i == 0 { &b""[..] } else { b", " }, m.text(value)] {
            let end = len.checked_add(part.len())?;
            out.get_mut(len..end)?.copy_from_slice(part);
            len = end;
        }
    }
    Some(len)
}

/// Writes the value of the Contact field that lists `bindings`, with GRUUs of the address of record
/// `aor` if there is one; `None` when it does not fit.
fn write_contacts(
    cx: &mut Cx,
    aor: Option<&str>,
    bindings: Bindings<'_>,
    out: &mut [u8],
) -> Option<usize> {
    let mut to = Text { room: out, len: 0 };
    for (i, b) in bindings.enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(to, "{comma}<{}>{}", b.uri, b.params).ok()?;
        match b.q {
            1_000.. => {}
            q if q % 100 == 0 => write!(to, ";q=0.{}", q / 100).ok()?,
            q => write!(to, ";q=0.{q:03}").ok()?,
        }
        write!(to, ";expires={}", b.expires).ok()?;
        if let Some(aor) = aor {
            let room = to.room.get_mut(to.len..)?;
            to.len += gruu::write(cx, aor.as_bytes(), &b, room);
        }
    }
    Some(to.len)
}

struct Text<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl core::fmt::Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len.saturating_add(s.len());
        self.room.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}
