//! What is wrong with a message, and what each role does about it.
//!
//! Parsing refuses no content. Whatever departs from the RFCs is a [`Defect`]: what it is, where,
//! which clause it breaks, and the status it would earn. [`judge`] then says for a role whether the
//! message is accepted, answered or dropped.

use super::message::MessageRef;
use super::name::Name;
use super::scan::Span;
use super::start_line::Method;
use crate::header::essentials::Essentials;

/// Who judges a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Role {
    /// A user agent, which acts on the message.
    UserAgent,
    /// A proxy, which forwards what it need not understand.
    Proxy,
    /// A registrar, which stores what is in Contact.
    Registrar,
    /// A test tool, which takes everything.
    Tool,
}

/// What to do with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Verdict {
    /// Hand it on. It may still lack what a layer needs as a key.
    Accept,
    /// Answer the request with this status.
    Answer(u16),
    /// Drop it without an answer: a response, an ACK, or a request that cannot be answered.
    Drop,
}

/// Whether a column of the table refuses a kind.
const A: bool = false;
const R: bool = true;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:literal, $clause:literal,
        $text:literal, [$ua:ident $proxy:ident $registrar:ident $response:ident];)*) => {
        /// A kind of defect. The numbers are stable. Where a message has several, the first of
        /// this list decides.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum DefectKind {
            $($(#[doc = $doc])+ $variant = $code,)*
        }

        impl DefectKind {
            /// Every kind, the weightiest first.
            pub const ALL: &'static [DefectKind] = &[$(DefectKind::$variant),*];

            /// The status that a request with this defect earns where it is refused.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(DefectKind::$variant => $status,)* }
            }

            /// The clause that it breaks.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self { $(DefectKind::$variant => $clause,)* }
            }

            /// What it is, in words.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(DefectKind::$variant => $text,)* }
            }
        }

        const UA: Kinds = Kinds::NONE $(.with_if(DefectKind::$variant, $ua))*;
        const PROXY: Kinds = Kinds::NONE $(.with_if(DefectKind::$variant, $proxy))*;
        const REGISTRAR: Kinds = Kinds::NONE $(.with_if(DefectKind::$variant, $registrar))*;
        const RESPONSE: Kinds = Kinds::NONE $(.with_if(DefectKind::$variant, $response))*;
    };
}

kinds! {
    // Columns: user agent, proxy, registrar; and a response, to whomever. A accepts, R refuses.
    /// The version is not 2.0.
    Version = 1, 505, "RFC 3261 21.5.6", "SIP version is not 2.0", [R R R R];
    /// The status is no number from 100 to 699.
    Status = 2, 400, "RFC 3261 7.2", "status code is not 100 to 699", [R R R R];
    /// The first line is no start line of SIP. Only a stream has it: parsing refuses such bytes.
    NoStartLine = 3, 400, "RFC 3261 7", "no SIP start line", [R R R R];
    /// More or other white space in the start line than the grammar has.
    StartLineSpace = 4, 400, "RFC 3261 7.1", "stray white space in the start line", [R R R A];
    /// More bytes than [`WireLimits::message`](super::WireLimits::message).
    TooLong = 5, 513, "RFC 3261 21.5.7", "message is too long", [R R R R];
    /// A longer header section than [`WireLimits::header_section`](super::WireLimits::header_section).
    HeadersTooLong = 6, 513, "RFC 3261 21.5.7", "header section is too long", [R R R R];
    /// The empty line that ends the header section is missing.
    NoHeaderEnd = 7, 400, "RFC 3261 7", "header section does not end", [R R R R];
    /// Two fields with different Content-Length.
    LengthConflict = 8, 400, "RFC 3261 20.14", "two different Content-Length", [R R R R];
    /// Content-Length is no number, or not one that a message can have.
    LengthBad = 9, 400, "RFC 3261 20.14", "Content-Length is not a length", [R R R R];
    /// A stream needs Content-Length.
    LengthMissing = 10, 400, "RFC 3261 20.14", "no Content-Length on a stream", [R R R R];
    /// Fewer bytes than Content-Length says.
    BodyShort = 11, 400, "RFC 3261 18.3", "body is shorter than Content-Length", [R R R R];
    /// More fields than [`WireLimits::fields`](super::WireLimits::fields).
    TooManyFields = 12, 400, "RFC 3261 21.4.1", "too many header fields", [R R R R];
    /// A longer value than [`WireLimits::value`](super::WireLimits::value).
    ValueTooLong = 13, 400, "RFC 3261 21.4.1", "header value is too long", [R R R R];
    /// More items than [`WireLimits::list`](super::WireLimits::list).
    TooManyValues = 14, 400, "RFC 3261 21.4.1", "too many values in a list", [R R R R];
    /// More parameters than [`WireLimits::params`](super::WireLimits::params).
    TooManyParams = 15, 400, "RFC 3261 21.4.1", "too many parameters", [R R R R];
    /// A longer request URI than [`WireLimits::uri`](super::WireLimits::uri).
    UriTooLong = 16, 414, "RFC 3261 21.4.12", "request URI is too long", [R R R R];
    /// A line that is no `name: value`.
    HeaderLine = 17, 400, "RFC 3261 7.3.1", "line is no header field", [R R R R];
    /// A control byte that no quoted pair excuses.
    Control = 18, 400, "RFC 3261 25.1", "control byte in a value", [R R R R];
    /// A line ends in LF alone.
    BareLf = 19, 400, "RFC 3261 7", "line ends without CR", [R R R R];
    /// No Via.
    NoVia = 20, 400, "RFC 3261 8.1.1", "no Via", [R R R R];
    /// The top Via cannot be read.
    BadVia = 21, 400, "RFC 3261 20.42", "malformed Via", [R R R R];
    /// The branch is the magic cookie and nothing else.
    BadBranch = 22, 400, "RFC 3261 8.1.1.7", "branch is only the magic cookie", [R R R R];
    /// Two of a field that names the transaction or the dialog.
    DuplicateKey = 23, 400, "RFC 3261 7.3.1", "field may appear once only", [R R R R];
    /// No From.
    NoFrom = 24, 400, "RFC 3261 8.1.1", "no From", [R R R R];
    /// No To.
    NoTo = 25, 400, "RFC 3261 8.1.1", "no To", [R R R R];
    /// No Call-ID, or an empty one.
    NoCallId = 26, 400, "RFC 3261 8.1.1", "no Call-ID", [R R R R];
    /// No CSeq.
    NoCSeq = 27, 400, "RFC 3261 8.1.1", "no CSeq", [R R R R];
    /// CSeq is no 32-bit number and method.
    BadCSeq = 28, 400, "RFC 3261 20.16", "malformed CSeq", [R R R R];
    /// The method is unknown and CSeq names another.
    CSeqUnknown = 29, 501, "RFC 4475 3.1.2.18", "unknown method that CSeq does not name", [R R R R];
    /// CSeq names another method.
    CSeqMethod = 30, 400, "RFC 3261 8.1.1.5", "CSeq names another method", [R R R R];
    /// From cannot be read.
    BadFrom = 31, 400, "RFC 3261 20.20", "malformed From", [R R R R];
    /// To cannot be read.
    BadTo = 32, 400, "RFC 3261 20.39", "malformed To", [R R R R];
    /// The request URI is malformed.
    BadUri = 33, 400, "RFC 3261 19.1.1", "malformed request URI", [R R R A];
    /// The request URI carries header fields.
    UriHeaders = 34, 400, "RFC 3261 19.1.1", "header fields in the request URI", [R R R A];
    /// The request URI is neither sip, sips nor tel.
    UriScheme = 35, 416, "RFC 3261 8.2.2.1", "unknown scheme in the request URI", [R R R A];
    /// The top Route is malformed.
    BadRoute = 36, 400, "RFC 3261 20.34", "malformed Route", [R R R A];
    /// Max-Forwards is no number.
    BadMaxForwards = 37, 400, "RFC 3261 20.22", "malformed Max-Forwards", [R R R A];
    /// A Contact is malformed.
    BadContact = 38, 400, "RFC 3261 20.10", "malformed Contact", [R A R A];
    /// A request that makes a dialog has no Contact.
    NoContact = 39, 400, "RFC 3261 8.1.1.8", "no Contact", [R A A A];
    /// Two of a field that may appear once.
    Duplicate = 40, 400, "RFC 3261 7.3.1", "field may appear once only", [R A R A];
    /// A body of too many parts or lines for the limits.
    BodyTooComplex = 41, 413, "RFC 3261 21.4.11", "body has too many parts", [R A A A];
    /// The To of a REGISTER is neither sip nor sips.
    ToScheme = 42, 400, "RFC 3261 10.3", "address of record is not a SIP URI", [A A R A];
    /// Max-Forwards is over 255.
    MaxForwardsRange = 43, 400, "RFC 3261 20.22", "Max-Forwards is over 255", [A A A A];
    /// No Max-Forwards.
    NoMaxForwards = 44, 400, "RFC 3261 8.1.1.6", "no Max-Forwards", [A A A A];
    /// The top Via has no branch, or one without the magic cookie: RFC 2543.
    OldBranch = 45, 400, "RFC 3261 8.1.1.7", "branch of RFC 2543", [A A A A];
    /// From has no tag: RFC 2543.
    NoFromTag = 46, 400, "RFC 3261 8.1.1.3", "no tag in From", [A A A A];
    /// A response over 100 has no tag in To: RFC 2543.
    NoToTag = 47, 400, "RFC 3261 8.2.6.2", "no tag in To", [A A A A];
    /// Call-ID is not `word` or `word@word`.
    OddCallId = 48, 400, "RFC 3261 20.8", "Call-ID outside its grammar", [A A A A];
    /// A value departs from its grammar in a way that harms nobody.
    Odd = 49, 400, "RFC 3261 25.1", "value outside its grammar", [A A A A];
    /// Two of a field that only informs.
    DuplicateNote = 50, 400, "RFC 3261 7.3.1", "field may appear once only", [A A A A];
    /// Bytes follow the body in a datagram.
    Excess = 51, 400, "RFC 3261 18.3", "bytes after the body", [A A A A];
    /// Empty lines before the start line.
    LeadingCrlf = 52, 400, "RFC 3261 7.5", "empty line before the start line", [A A A A];
}

/// A set of defect kinds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Kinds(u64);

impl Kinds {
    /// No kinds.
    pub const NONE: Kinds = Kinds(0);

    const fn with_if(self, kind: DefectKind, on: bool) -> Kinds {
        if on { Kinds(self.0 | 1 << kind as u8) } else { self }
    }

    /// The set of these kinds.
    #[must_use]
    pub const fn of(mut kinds: &[DefectKind]) -> Kinds {
        let mut set = Kinds::NONE;
        while let [kind, rest @ ..] = kinds {
            set = set.with_if(*kind, true);
            kinds = rest;
        }
        set
    }

    /// Adds a kind.
    pub fn add(&mut self, kind: DefectKind) {
        *self = self.with_if(kind, true);
    }

    /// The kinds of both.
    #[must_use]
    pub const fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// The kinds that are in both.
    #[must_use]
    pub const fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `kind` is among them.
    #[must_use]
    pub const fn has(self, kind: DefectKind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }

    /// The weightiest.
    #[must_use]
    pub fn first(self) -> Option<DefectKind> {
        self.iter().next()
    }

    /// All of them, the weightiest first.
    pub fn iter(self) -> impl Iterator<Item = DefectKind> {
        DefectKind::ALL.iter().copied().filter(move |&k| self.has(k))
    }
}

impl core::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// One defect of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Defect {
    /// What is wrong.
    pub kind: DefectKind,
    /// The field it is in; [`Name::Other`] for the start line, the body and unknown fields.
    pub name: Name,
    /// Where in the message.
    pub at: Span,
}

impl Defect {
    /// The clause that it breaks.
    #[must_use]
    pub fn clause(&self) -> &'static str {
        self.kind.clause()
    }

    /// The status that it would earn.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// What it is, in words.
    #[must_use]
    pub fn text(&self) -> &'static str {
        self.kind.text()
    }

    /// Its stable number.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.kind as u8
    }
}

/// The kinds that make `role` refuse a request.
#[must_use]
pub fn refused(role: Role) -> Kinds {
    match role {
        Role::UserAgent => UA,
        Role::Proxy => PROXY,
        Role::Registrar => REGISTRAR,
        Role::Tool => Kinds::NONE,
    }
}

/// What `role` does with a message by its defects alone.
#[must_use]
pub fn judge(role: Role, message: &MessageRef<'_>, essentials: &Essentials) -> Verdict {
    let found = message.kinds().or(essentials.kinds());
    let table = if message.is_request() || role == Role::Tool { refused(role) } else { RESPONSE };
    let Some(kind) = found.and(table).first() else { return Verdict::Accept };
    // A response is never answered, nor is an ACK (RFC 3261 8.1.3.3 and 17.1.1.3); without Via
    // nothing says where an answer would go.
    if !message.is_request() || message.method() == Method::Ack || essentials.via.is_none() {
        return Verdict::Drop;
    }
    Verdict::Answer(kind.status())
}
