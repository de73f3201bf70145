//! The header field names that the engine knows, from one table.

/// How often a field may appear and whether its value is a comma list.
enum Shape {
    /// At most one field, one value.
    Single,
    /// A comma list; several fields are one longer list (RFC 3261 7.3.1).
    List,
    /// Several fields, of which each is one value whatever commas it holds (RFC 3261 7.3.1 names
    /// the four of authentication).
    Repeat,
}

struct Row {
    text: &'static str,
    compact: u8,
    clause: &'static str,
}

macro_rules! names {
    ($($variant:ident, $text:literal, $compact:literal, $shape:ident, $clause:literal;)*) => {
        /// A header field name. The numbers are not stable between versions.
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
        #[repr(u8)]
        pub enum Name {
            /// A name that is not in the table; the message keeps its text.
            #[default]
            Other,
            $(
                #[doc = concat!("`", $text, "`, ", $clause, ".")]
                $variant,
            )*
        }

        impl Name {
            /// Every name of the table, without [`Name::Other`].
            pub const ALL: &'static [Name] = &[$(Name::$variant),*];
        }

        static ROWS: &[Row] = &[
            Row { text: "", compact: 0, clause: "RFC 3261 7.3.1" },
            $(Row { text: $text, compact: $compact, clause: $clause },)*
        ];

        const TEXTS: &[(&[u8], Name)] = &[$(($text.as_bytes(), Name::$variant)),*];
        const COMPACTS: &[(u8, Name)] = &[$(($compact, Name::$variant)),*];
        const SINGLES: NameSet = NameSet::NONE
            $(.with_if(Name::$variant, matches!(Shape::$shape, Shape::Single)))*;
        const LISTS: NameSet = NameSet::NONE
            $(.with_if(Name::$variant, matches!(Shape::$shape, Shape::List)))*;
    };
}

names! {
    Via, "Via", b'v', List, "RFC 3261 20.42";
    From, "From", b'f', Single, "RFC 3261 20.20";
    To, "To", b't', Single, "RFC 3261 20.39";
    CallId, "Call-ID", b'i', Single, "RFC 3261 20.8";
    CSeq, "CSeq", 0u8, Single, "RFC 3261 20.16";
    Contact, "Contact", b'm', List, "RFC 3261 20.10";
    ContentLength, "Content-Length", b'l', Single, "RFC 3261 20.14";
    MaxForwards, "Max-Forwards", 0u8, Single, "RFC 3261 20.22";
    Route, "Route", 0u8, List, "RFC 3261 20.34";
    RecordRoute, "Record-Route", 0u8, List, "RFC 3261 20.30";
    ContentType, "Content-Type", b'c', Single, "RFC 3261 20.15";
    ContentDisposition, "Content-Disposition", 0u8, Single, "RFC 3261 20.11";
    ContentEncoding, "Content-Encoding", b'e', List, "RFC 3261 20.12";
    ContentLanguage, "Content-Language", 0u8, List, "RFC 3261 20.13";
    Expires, "Expires", 0u8, Single, "RFC 3261 20.19";
    Require, "Require", 0u8, List, "RFC 3261 20.32";
    ProxyRequire, "Proxy-Require", 0u8, List, "RFC 3261 20.29";
    Supported, "Supported", b'k', List, "RFC 3261 20.37";
    Unsupported, "Unsupported", 0u8, List, "RFC 3261 20.40";
    Allow, "Allow", 0u8, List, "RFC 3261 20.5";
    Accept, "Accept", 0u8, List, "RFC 3261 20.1";
    AcceptEncoding, "Accept-Encoding", 0u8, List, "RFC 3261 20.2";
    AcceptLanguage, "Accept-Language", 0u8, List, "RFC 3261 20.3";
    Authorization, "Authorization", 0u8, Repeat, "RFC 3261 20.7";
    ProxyAuthorization, "Proxy-Authorization", 0u8, Repeat, "RFC 3261 20.28";
    WwwAuthenticate, "WWW-Authenticate", 0u8, Repeat, "RFC 3261 20.44";
    ProxyAuthenticate, "Proxy-Authenticate", 0u8, Repeat, "RFC 3261 20.27";
    AuthenticationInfo, "Authentication-Info", 0u8, Repeat, "RFC 3261 20.6";
    ProxyAuthenticationInfo, "Proxy-Authentication-Info", 0u8, Repeat, "RFC 7615 4";
    AlertInfo, "Alert-Info", 0u8, List, "RFC 3261 20.4";
    CallInfo, "Call-Info", 0u8, List, "RFC 3261 20.9";
    Date, "Date", 0u8, Single, "RFC 3261 20.17";
    ErrorInfo, "Error-Info", 0u8, List, "RFC 3261 20.18";
    InReplyTo, "In-Reply-To", 0u8, List, "RFC 3261 20.21";
    MinExpires, "Min-Expires", 0u8, Single, "RFC 3261 20.23";
    MimeVersion, "MIME-Version", 0u8, Single, "RFC 3261 20.24";
    Organization, "Organization", 0u8, Single, "RFC 3261 20.25";
    Priority, "Priority", 0u8, Single, "RFC 3261 20.26";
    ReplyTo, "Reply-To", 0u8, Single, "RFC 3261 20.31";
    RetryAfter, "Retry-After", 0u8, Single, "RFC 3261 20.33";
    Server, "Server", 0u8, Single, "RFC 3261 20.35";
    Subject, "Subject", b's', Single, "RFC 3261 20.36";
    Timestamp, "Timestamp", 0u8, Single, "RFC 3261 20.38";
    UserAgent, "User-Agent", 0u8, Single, "RFC 3261 20.41";
    Warning, "Warning", 0u8, List, "RFC 3261 20.43";
    RAck, "RAck", 0u8, Single, "RFC 3262 7.2";
    RSeq, "RSeq", 0u8, Single, "RFC 3262 7.1";
    Event, "Event", b'o', Single, "RFC 6665 8.2.1";
    AllowEvents, "Allow-Events", b'u', List, "RFC 6665 8.2.2";
    SubscriptionState, "Subscription-State", 0u8, Single, "RFC 6665 8.2.3";
    SuppressIfMatch, "Suppress-If-Match", 0u8, Single, "RFC 5839 4";
    SipEtag, "SIP-ETag", 0u8, Single, "RFC 3903 11.3.1";
    SipIfMatch, "SIP-If-Match", 0u8, Single, "RFC 3903 11.3.2";
    ReferTo, "Refer-To", b'r', Single, "RFC 3515 2.1";
    ReferSub, "Refer-Sub", 0u8, Single, "RFC 4488 4";
    ReferredBy, "Referred-By", b'b', Single, "RFC 3892 3";
    ReferEventsAt, "Refer-Events-At", 0u8, Single, "RFC 7614 3";
    Replaces, "Replaces", 0u8, Single, "RFC 3891 6.1";
    Join, "Join", 0u8, Single, "RFC 3911 7.1";
    TargetDialog, "Target-Dialog", 0u8, Single, "RFC 4538 7";
    SessionExpires, "Session-Expires", b'x', Single, "RFC 4028 4";
    MinSe, "Min-SE", 0u8, Single, "RFC 4028 5";
    Path, "Path", 0u8, List, "RFC 3327 4";
    ServiceRoute, "Service-Route", 0u8, List, "RFC 3608 5";
    FlowTimer, "Flow-Timer", 0u8, Single, "RFC 5626 11.2";
    MaxBreadth, "Max-Breadth", 0u8, Single, "RFC 5393 5.3.3";
    Privacy, "Privacy", 0u8, Repeat, "RFC 3323 4.2";
    PAssertedIdentity, "P-Asserted-Identity", 0u8, List, "RFC 3325 9.1";
    PPreferredIdentity, "P-Preferred-Identity", 0u8, List, "RFC 3325 9.2";
    Reason, "Reason", 0u8, List, "RFC 3326 2";
    AcceptContact, "Accept-Contact", b'a', List, "RFC 3841 9.2";
    RejectContact, "Reject-Contact", b'j', List, "RFC 3841 9.2";
    RequestDisposition, "Request-Disposition", b'd', List, "RFC 3841 9.1";
    AnswerMode, "Answer-Mode", 0u8, Single, "RFC 5373 4";
    PrivAnswerMode, "Priv-Answer-Mode", 0u8, Single, "RFC 5373 4";
    ResourcePriority, "Resource-Priority", 0u8, List, "RFC 4412 3.1";
    AcceptResourcePriority, "Accept-Resource-Priority", 0u8, List, "RFC 4412 3.2";
    InfoPackage, "Info-Package", 0u8, Single, "RFC 6086 7.2";
    RecvInfo, "Recv-Info", 0u8, List, "RFC 6086 7.2";
    Diversion, "Diversion", 0u8, List, "RFC 5806 4";
    HistoryInfo, "History-Info", 0u8, List, "RFC 7044 5";
    PAssociatedUri, "P-Associated-URI", 0u8, List, "RFC 7315 4.1";
    PCalledPartyId, "P-Called-Party-ID", 0u8, Single, "RFC 7315 4.2";
    PVisitedNetworkId, "P-Visited-Network-ID", 0u8, List, "RFC 7315 4.3";
    PAccessNetworkInfo, "P-Access-Network-Info", 0u8, List, "RFC 7315 4.4";
    PChargingFunctionAddresses, "P-Charging-Function-Addresses", 0u8, List, "RFC 7315 4.5";
    PChargingVector, "P-Charging-Vector", 0u8, Single, "RFC 7315 4.6";
    PServedUser, "P-Served-User", 0u8, Single, "RFC 5502 6";
    PEarlyMedia, "P-Early-Media", 0u8, List, "RFC 5009 8";
    PMediaAuthorization, "P-Media-Authorization", 0u8, List, "RFC 3313 5.1";
    PAnswerState, "P-Answer-State", 0u8, Single, "RFC 4964 6";
    PRefusedUriList, "P-Refused-URI-List", 0u8, List, "RFC 5318 4.1";
    PProfileKey, "P-Profile-Key", 0u8, Single, "RFC 5002 5";
    PUserDatabase, "P-User-Database", 0u8, Single, "RFC 4457 4";
    PPreferredService, "P-Preferred-Service", 0u8, List, "RFC 6050 4.2";
    PAssertedService, "P-Asserted-Service", 0u8, List, "RFC 6050 4.1";
    PPrivateNetworkIndication, "P-Private-Network-Indication", 0u8, Single, "RFC 7316 3";
    PChargeInfo, "P-Charge-Info", 0u8, Single, "RFC 8496 4";
    PDcsTracePartyId, "P-DCS-TRACE-PARTY-ID", 0u8, Single, "RFC 5503 4";
    PDcsOsps, "P-DCS-OSPS", 0u8, Single, "RFC 5503 5";
    PDcsBillingInfo, "P-DCS-BILLING-INFO", 0u8, Single, "RFC 5503 6";
    PDcsLaes, "P-DCS-LAES", 0u8, Single, "RFC 5503 7";
    PDcsRedirect, "P-DCS-REDIRECT", 0u8, Single, "RFC 5503 7";
    Identity, "Identity", b'y', List, "RFC 8224 4";
    IdentityInfo, "Identity-Info", b'n', Single, "RFC 4474 9";
    SecurityClient, "Security-Client", 0u8, List, "RFC 3329 2.2";
    SecurityServer, "Security-Server", 0u8, List, "RFC 3329 2.2";
    SecurityVerify, "Security-Verify", 0u8, List, "RFC 3329 2.2";
    PermissionMissing, "Permission-Missing", 0u8, List, "RFC 5360 5.9";
    TriggerConsent, "Trigger-Consent", 0u8, List, "RFC 5360 5.10";
    FeatureCaps, "Feature-Caps", 0u8, List, "RFC 6809 6.3";
    Geolocation, "Geolocation", 0u8, List, "RFC 6442 4.1";
    GeolocationRouting, "Geolocation-Routing", 0u8, Single, "RFC 6442 4.2";
    GeolocationError, "Geolocation-Error", 0u8, Single, "RFC 6442 4.3";
    PolicyContact, "Policy-Contact", 0u8, List, "RFC 6794 4.4";
    PolicyId, "Policy-ID", 0u8, List, "RFC 6794 4.4";
    SessionId, "Session-ID", 0u8, Single, "RFC 7989 5";
    UserToUser, "User-to-User", 0u8, List, "RFC 7433 4";
    Encryption, "Encryption", 0u8, Single, "RFC 2543 6.19";
    Hide, "Hide", 0u8, Single, "RFC 2543 6.22";
    ResponseKey, "Response-Key", 0u8, Single, "RFC 2543 6.31";
    RemotePartyId, "Remote-Party-ID", 0u8, List, "draft-ietf-sip-privacy-04 5";
    Record, "Record", 0u8, Single, "Yealink administrator's guide";
    Line, "Line", 0u8, Single, "Yealink administrator's guide";
}

const SLOTS: usize = 512;

/// The first sixteen bytes of a name, padded with zeros: what the table is searched by.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Words(u64, u64);

impl Words {
    /// Sets the bit of lower case in letters, and in nothing that could then pass for part of a
    /// name: bytes below 0x40 stay as they are.
    #[inline(always)]
    const fn lower(self) -> Words {
        const CASE: u64 = 0x4040_4040_4040_4040;
        Words(self.0 | (self.0 & CASE) >> 1, self.1 | (self.1 & CASE) >> 1)
    }

    const fn of(mut text: &[u8]) -> Words {
        let mut bytes = [0; 16];
        let mut rest: &mut [u8] = &mut bytes;
        while let ([c, more @ ..], [to, tail @ ..]) = (text, rest) {
            *to = *c;
            text = more;
            rest = tail;
        }
        let n = u128::from_le_bytes(bytes);
        Words(n as u64, (n >> 64) as u64).lower()
    }

    /// Where the search begins.
    #[inline(always)]
    const fn slot(self) -> usize {
        let mixed =
            self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.1.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
        (mixed >> 55) as usize % SLOTS
    }
}

/// [`Words`] of each name, in the order of [`Name`].
static WORDS: [Words; TEXTS.len() + 1] = {
    let mut table = [Words(0, 0); TEXTS.len() + 1];
    let mut names = TEXTS;
    while let [(text, name), more @ ..] = names {
        if let Some((_, [entry, ..])) = table.split_at_mut_checked(*name as usize) {
            *entry = Words::of(text);
        }
        names = more;
    }
    table
};

/// Open addressing by [`Words::slot`], filled at compile time.
static TABLE: [Name; SLOTS] = {
    let mut table = [Name::Other; SLOTS];
    let mut names = TEXTS;
    while let [(text, name), rest @ ..] = names {
        let mut at = Words::of(text).slot();
        while let Some((_, [entry, ..])) = table.split_at_mut_checked(at) {
            if matches!(*entry, Name::Other) {
                *entry = *name;
                break;
            }
            at = (at + 1) % SLOTS;
        }
        names = rest;
    }
    table
};

/// The compact forms (RFC 3261 7.3.3), by letter.
static COMPACT: [Name; 26] = {
    let mut table = [Name::Other; 26];
    let mut names = COMPACTS;
    while let [(letter, name), rest @ ..] = names {
        if let Some((_, [entry, ..])) =
            table.split_at_mut_checked(letter.wrapping_sub(b'a') as usize)
        {
            *entry = *name;
        }
        names = rest;
    }
    table
};

/// A set of names of the table, [`Name::Other`] included.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct NameSet(u128);

impl NameSet {
    /// No names.
    pub const NONE: NameSet = NameSet(0);
    /// All names.
    pub const ALL: NameSet = NameSet(u128::MAX);
    /// The names that may appear once only.
    pub const SINGLE: NameSet = SINGLES;
    /// The names whose values are comma lists.
    pub const LIST: NameSet = LISTS;

    /// The set of these names.
    #[must_use]
    pub const fn of(mut names: &[Name]) -> NameSet {
        let mut set = NameSet::NONE;
        while let [name, rest @ ..] = names {
            set = set.with(*name);
            names = rest;
        }
        set
    }

    /// The set and `name`.
    #[inline]
    #[must_use]
    pub const fn with(self, name: Name) -> NameSet {
        NameSet(self.0 | 1 << name as u8)
    }

    const fn with_if(self, name: Name, on: bool) -> NameSet {
        if on { self.with(name) } else { self }
    }

    /// Whether `name` is in it.
    #[inline]
    #[must_use]
    pub const fn has(self, name: Name) -> bool {
        self.0 >> name as u8 & 1 == 1
    }

    /// Whether all of `other` are in it.
    #[inline]
    #[must_use]
    pub const fn has_all(self, other: NameSet) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Name {
    /// The name that `text` spells, in full or compact form, without regard to case.
    #[inline]
    #[must_use]
    pub fn of(text: &[u8]) -> Name {
        if let [letter] = text {
            return Name::of_letter(*letter);
        }
        let words = Words::of(text);
        let mut at = words.slot();
        loop {
            let name = TABLE.get(at % SLOTS).copied().unwrap_or(Name::Other);
            if name == Name::Other || name.as_str().as_bytes().eq_ignore_ascii_case(text) {
                return name;
            }
            at = at.wrapping_add(1);
        }
    }

    #[inline]
    fn of_letter(letter: u8) -> Name {
        let letter = (letter | 0x20).wrapping_sub(b'a');
        COMPACT.get(usize::from(letter)).copied().unwrap_or(Name::Other)
    }

    /// The name of the header field that begins with `line`, and its length, when it is known, no
    /// longer than fifteen bytes and its colon follows at once. `None` says nothing.
    #[inline(always)]
    pub(crate) fn at_start(line: &[u8]) -> Option<(Name, usize)> {
        const COLONS: u64 = 0x3A3A_3A3A_3A3A_3A3A;
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        // The lowest bit set belongs to the first colon.
        let colons = |word: u64| {
            let zero = word ^ COLONS;
            zero.wrapping_sub(LOW) & !zero & HIGH
        };
        let below = |bit: u32| (1u64 << (bit & 56)).wrapping_sub(1);
        let (first, more) = line.split_first_chunk::<8>()?;
        let first = u64::from_le_bytes(*first);
        let found = colons(first);
        let (words, len) = if found != 0 {
            let bit = found.trailing_zeros();
            (Words(first & below(bit), 0), bit / 8)
        } else {
            let second = u64::from_le_bytes(*more.first_chunk::<8>()?);
            let found = colons(second);
            if found == 0 {
                return None;
            }
            let bit = found.trailing_zeros();
            (Words(first, second & below(bit)), bit / 8 + 8)
        };
        let words = words.lower();
        let name = if len == 1 {
            Name::of_letter(words.0 as u8)
        } else {
            let mut at = words.slot();
            loop {
                let name = TABLE.get(at % SLOTS).copied().unwrap_or(Name::Other);
                if name == Name::Other || WORDS.get(name as usize) == Some(&words) {
                    break name;
                }
                at = at.wrapping_add(1);
            }
        };
        // NULs at the end of a name look like the padding.
        let whole = len == 1 || name.as_str().len() == len as usize;
        (name != Name::Other && whole).then_some((name, len as usize))
    }

    #[inline]
    fn row(self) -> &'static Row {
        const OTHER: &Row = &Row { text: "", compact: 0, clause: "RFC 3261 7.3.1" };
        ROWS.get(self as usize).unwrap_or(OTHER)
    }

    /// The name as its RFC writes it; empty for [`Name::Other`].
    #[inline]
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().text
    }

    /// Its compact form, a lower-case letter.
    #[must_use]
    pub fn compact(self) -> Option<u8> {
        Some(self.row().compact).filter(|&c| c != 0)
    }

    /// Whether its value is a comma list, so that several fields are one longer list.
    #[must_use]
    pub const fn is_list(self) -> bool {
        LISTS.has(self)
    }

    /// Whether only one field of this name may stand in a message.
    #[must_use]
    pub const fn is_single(self) -> bool {
        SINGLES.has(self)
    }

    /// Whether a field of this name only informs people: what it says changes nothing.
    #[must_use]
    pub fn informs(self) -> bool {
        matches!(
            self,
            Name::Other
                | Name::Date
                | Name::MimeVersion
                | Name::Organization
                | Name::Server
                | Name::Subject
                | Name::UserAgent
        )
    }

    /// Where it is defined.
    #[must_use]
    pub fn clause(self) -> &'static str {
        self.row().clause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_no_other_is() {
        for &name in Name::ALL {
            let text = name.as_str();
            assert_eq!(Name::of(text.as_bytes()), name);
            assert_eq!(Name::of(text.to_ascii_uppercase().as_bytes()), name);
            assert_eq!(Name::of(text.to_ascii_lowercase().as_bytes()), name);
            let longer = std::format!("{text}x");
            assert_eq!(Name::of(longer.as_bytes()), Name::Other);
            for i in 0..text.len() {
                for c in 0..=255u8 {
                    let mut other = text.as_bytes().to_vec();
                    other[i] = c;
                    let same = other.eq_ignore_ascii_case(text.as_bytes());
                    assert_eq!(Name::of(&other) == name, same, "{other:?}");
                }
            }
        }
        assert_eq!(Name::of(b""), Name::Other);
    }

    #[test]
    fn at_the_start_of_a_line_the_same_names_are_found() {
        for &name in Name::ALL {
            let text = name.as_str();
            for line in [std::format!("{text}: value of the field"), text.to_ascii_uppercase()] {
                let line = std::format!("{line}: value of the field");
                match Name::at_start(line.as_bytes()) {
                    Some(found) => assert_eq!(found, (name, text.len())),
                    None => assert!(text.len() > 15, "{text}"),
                }
            }
            for i in 0..text.len() {
                for c in 0..=255u8 {
                    let mut other = text.as_bytes().to_vec();
                    other[i] = c;
                    let named = Name::of(&other);
                    if i == 0 {
                        let mut longer = text.as_bytes().to_vec();
                        longer.extend_from_slice(&[c, b':', b'v', b'a', b'l', b'u', b'e', b' ']);
                        let found = Name::at_start(&longer).is_some_and(|f| f.0 == name);
                        assert_eq!(found, c == b':' && text.len() < 16, "{text} {c}");
                    }
                    other.extend_from_slice(b": value of the field");
                    if let Some((found, len)) = Name::at_start(&other) {
                        assert_eq!(other[len], b':');
                        assert_eq!(found, Name::of(&other[..len]));
                        assert!(len < text.len() || found == named);
                    }
                }
            }
        }
        assert_eq!(Name::at_start(b"v: x"), None);
        assert_eq!(Name::at_start(b"V: a long value"), Some((Name::Via, 1)));
        assert_eq!(Name::at_start(b"Via : a long value"), None);
        assert_eq!(Name::at_start(b": a long value, no name"), None);
    }

    #[test]
    fn compact_forms() {
        // IANA, SIP parameters, header fields.
        for (c, name) in [
            (b'a', Name::AcceptContact),
            (b'b', Name::ReferredBy),
            (b'c', Name::ContentType),
            (b'd', Name::RequestDisposition),
            (b'e', Name::ContentEncoding),
            (b'f', Name::From),
            (b'i', Name::CallId),
            (b'j', Name::RejectContact),
            (b'k', Name::Supported),
            (b'l', Name::ContentLength),
            (b'm', Name::Contact),
            (b'n', Name::IdentityInfo),
            (b'o', Name::Event),
            (b'r', Name::ReferTo),
            (b's', Name::Subject),
            (b't', Name::To),
            (b'u', Name::AllowEvents),
            (b'v', Name::Via),
            (b'x', Name::SessionExpires),
            (b'y', Name::Identity),
        ] {
            assert_eq!(Name::of(&[c]), name);
            assert_eq!(Name::of(&[c.to_ascii_uppercase()]), name);
            assert_eq!(name.compact(), Some(c));
        }
        let known = Name::ALL.iter().filter(|n| n.compact().is_some()).count();
        assert_eq!(known, 20);
        for c in 0..=255u8 {
            if Name::of(&[c]) != Name::Other {
                assert!(c.is_ascii_alphabetic());
            }
        }
    }
}
