//! Which type the value of each known field has: to check, to show and to rewrite any value.

use super::accept::{MediaRange, Weighted};
use super::auth::{AuthInfo, Challenge, Credentials};
use super::contact::Contact;
use super::content::{ContentDisposition, ContentType, MimeVersion};
use super::cseq::CSeq;
use super::date::Date;
use super::diversion::Diversion;
use super::event::{Event, SubscriptionState};
use super::feature::FeatureSet;
use super::generic::{Coded, Generic, Named, SessionId, Text, UserToUser};
use super::history_info::HistoryInfo;
use super::identity::{Address, Identity, IdentityInfo, RemotePartyId, Tagged};
use super::info::{AlertInfo, AnswerMode, CallInfo, UriValue};
use super::number::{
    ContentLength, Expires, MaxForwards, RAck, RSeq, Ranged, RetryAfter, Timestamp,
};
use super::reason::Reason;
use super::refer::{ReferEventsAt, ReferSub, ReferTo, ReferredBy};
use super::replaces::{Join, Replaces, TargetDialog};
use super::route::Route;
use super::security::SecurityMechanism;
use super::session::{MinSe, SessionExpires};
use super::token_list::{CallId, Privacy, Token};
use super::value::{Part, See, Value, ValueError, ValueErrorKind, lws, number, token};
use super::via::Via;
use super::warning::Warning;
use crate::wire::name::Name;
use crate::wire::scan::{Cursor, Fault, Span};
use crate::wire::start_line::Method;
use crate::wire::write::{Value as ValueWriter, WriteError};

/// Something to do with a value once its type is known.
pub trait WithType {
    /// What comes of it.
    type Out;

    /// Does it with a value of type `T`.
    fn with<T: Value>(self) -> Self::Out;
}

/// Does `what` with the type that the values of `name` have; [`Text`] for names not known.
pub fn with_type<W: WithType>(name: Name, what: W) -> W::Out {
    use Name as N;
    match name {
        N::Via => what.with::<Via>(),
        N::From | N::To => what.with::<Tagged>(),
        N::CSeq => what.with::<CSeq>(),
        N::CallId | N::InReplyTo => what.with::<CallId>(),
        N::Contact => what.with::<Contact>(),
        N::Route | N::RecordRoute | N::Path | N::ServiceRoute => what.with::<Route>(),
        N::MaxForwards => what.with::<MaxForwards>(),
        N::ContentLength => what.with::<ContentLength>(),
        N::Expires | N::MinExpires | N::FlowTimer | N::MaxBreadth => what.with::<Expires>(),
        N::Line => what.with::<Ranged<0, { u32::MAX }>>(),
        N::RSeq => what.with::<RSeq>(),
        N::RAck => what.with::<RAck>(),
        N::RetryAfter => what.with::<RetryAfter>(),
        N::Timestamp => what.with::<Timestamp>(),
        N::Date => what.with::<Date>(),
        N::Warning => what.with::<Warning>(),
        N::Accept => what.with::<MediaRange>(),
        N::AcceptEncoding | N::AcceptLanguage => what.with::<Weighted>(),
        N::ContentType => what.with::<ContentType>(),
        N::ContentDisposition => what.with::<ContentDisposition>(),
        N::MimeVersion => what.with::<MimeVersion>(),
        N::WwwAuthenticate | N::ProxyAuthenticate => what.with::<Challenge>(),
        N::Authorization | N::ProxyAuthorization => what.with::<Credentials>(),
        N::AuthenticationInfo | N::ProxyAuthenticationInfo => what.with::<AuthInfo>(),
        N::AlertInfo => what.with::<AlertInfo>(),
        N::CallInfo => what.with::<CallInfo>(),
        N::AnswerMode | N::PrivAnswerMode => what.with::<AnswerMode>(),
        N::Event => what.with::<Event>(),
        N::SubscriptionState => what.with::<SubscriptionState>(),
        N::Replaces => what.with::<Replaces>(),
        N::Join => what.with::<Join>(),
        N::TargetDialog => what.with::<TargetDialog>(),
        N::ReferTo => what.with::<ReferTo>(),
        N::ReferredBy => what.with::<ReferredBy>(),
        N::ReferSub => what.with::<ReferSub>(),
        N::ReferEventsAt => what.with::<ReferEventsAt>(),
        N::SessionExpires => what.with::<SessionExpires>(),
        N::MinSe => what.with::<MinSe>(),
        N::Privacy => what.with::<Privacy>(),
        N::Reason => what.with::<Reason>(),
        N::RemotePartyId => what.with::<RemotePartyId>(),
        N::Diversion => what.with::<Diversion>(),
        N::HistoryInfo => what.with::<HistoryInfo>(),
        N::Identity => what.with::<Identity>(),
        N::IdentityInfo => what.with::<IdentityInfo>(),
        N::AcceptContact | N::RejectContact | N::FeatureCaps => what.with::<FeatureSet>(),
        N::SecurityClient | N::SecurityServer | N::SecurityVerify => {
            what.with::<SecurityMechanism>()
        }
        N::SessionId => what.with::<SessionId>(),
        N::UserToUser => what.with::<UserToUser>(),
        N::GeolocationError => what.with::<Coded>(),
        name if TOKENS.contains(&name) => what.with::<Token>(),
        name if NAMED.contains(&name) => what.with::<Named>(),
        name if ADDRESSES.contains(&name) => what.with::<Address>(),
        name if URIS.contains(&name) => what.with::<UriValue>(),
        name if GENERIC.contains(&name) => what.with::<Generic>(),
        _ => what.with::<Text>(),
    }
}

const TOKENS: &[Name] = &[
    Name::Require,
    Name::ProxyRequire,
    Name::Supported,
    Name::Unsupported,
    Name::Allow,
    Name::ContentEncoding,
    Name::ContentLanguage,
    Name::AllowEvents,
    Name::Priority,
    Name::SipEtag,
    Name::SipIfMatch,
    Name::SuppressIfMatch,
    Name::RequestDisposition,
    Name::ResourcePriority,
    Name::AcceptResourcePriority,
    Name::PMediaAuthorization,
    Name::PEarlyMedia,
    Name::GeolocationRouting,
    Name::Record,
];

const NAMED: &[Name] =
    &[Name::InfoPackage, Name::RecvInfo, Name::PAccessNetworkInfo, Name::PAnswerState];

const ADDRESSES: &[Name] = &[
    Name::ReplyTo,
    Name::PAssertedIdentity,
    Name::PPreferredIdentity,
    Name::PAssociatedUri,
    Name::PCalledPartyId,
    Name::PServedUser,
    Name::PRefusedUriList,
    Name::PProfileKey,
    Name::PChargeInfo,
    Name::PermissionMissing,
    Name::TriggerConsent,
    Name::PolicyContact,
    Name::PDcsTracePartyId,
];

const URIS: &[Name] = &[Name::ErrorInfo, Name::Geolocation, Name::PUserDatabase];

const GENERIC: &[Name] = &[
    Name::PVisitedNetworkId,
    Name::PChargingFunctionAddresses,
    Name::PChargingVector,
    Name::PPreferredService,
    Name::PAssertedService,
    Name::PPrivateNetworkIndication,
    Name::PDcsOsps,
    Name::PDcsBillingInfo,
    Name::PDcsLaes,
    Name::PDcsRedirect,
    Name::PolicyId,
];

/// Fields whose list may be empty (RFC 3261 25.1; RFC 6086 7.2; RFC 5009 8).
const MAYBE_EMPTY: &[Name] = &[
    Name::Accept,
    Name::AcceptEncoding,
    Name::AcceptLanguage,
    Name::Allow,
    Name::Supported,
    Name::RecvInfo,
    Name::AcceptResourcePriority,
    Name::PEarlyMedia,
];

/// Does `each` with every value in the field at `span`: the items of a list, or the one value.
fn values<E: From<ValueError>>(
    name: Name,
    bytes: &[u8],
    span: Span,
    mut each: impl FnMut(Span) -> Result<(), E>,
) -> Result<(), E> {
    if span.trimmed(bytes).is_empty() && MAYBE_EMPTY.contains(&name) {
        return Ok(());
    }
    if !name.is_list() {
        return each(span);
    }
    let mut c = Cursor::new(bytes, span);
    loop {
        let item = c.item().unwrap_or(Span::new(c.at, c.at));
        each(item)?;
        if !c.eat(b',') {
            return Ok(());
        }
    }
}

struct Check<'a> {
    name: Name,
    bytes: &'a [u8],
    item: Span,
}

impl WithType for Check<'_> {
    type Out = Result<(), ValueError>;

    fn with<T: Value>(self) -> Self::Out {
        let clause = self.name.clause();
        T::parse(self.bytes, self.item).map(|_| ()).map_err(|e| ValueError { clause, ..e })
    }
}

/// Whether the value at `span` of `bytes` is by the grammar of `name`, every item of a list.
///
/// # Errors
/// What is wrong with the first value that is not, where, and the clause that defines the field.
pub fn check_at(name: Name, bytes: &[u8], span: Span) -> Result<(), ValueError> {
    values(name, bytes, span, |item| with_type(name, Check { name, bytes, item }))
}

/// Whether `value` is by the grammar of `name`, every item of a list.
///
/// # Errors
/// As [`check_at`]; a value over 65,535 bytes is out of [`ValueErrorKind::Range`].
pub fn check(name: Name, value: &[u8]) -> Result<(), ValueError> {
    let span = Span::new(0, value.len());
    if span.end() != value.len() {
        let kind = ValueErrorKind::Range;
        return Err(ValueError { kind, at: u16::MAX, clause: name.clause() });
    }
    check_at(name, value, span)
}

struct Describe<'a, 's> {
    bytes: &'a [u8],
    item: Span,
    see: &'a mut See<'s>,
}

impl WithType for Describe<'_, '_> {
    type Out = Result<(), ValueError>;

    fn with<T: Value>(self) -> Self::Out {
        let value = T::parse(self.bytes, self.item)?;
        value.parts(self.see);
        Ok(())
    }
}

/// Shows the typed parts of the value at `span` of `bytes`. Before the parts of each item comes
/// a part called `value`: the item as it is written.
///
/// # Errors
/// As [`check_at`]; the parts before the value that is wrong have been shown.
pub fn describe(name: Name, bytes: &[u8], span: Span, see: &mut See<'_>) -> Result<(), ValueError> {
    let clause = name.clause();
    let secret = matches!(name, Name::Authorization | Name::ProxyAuthorization);
    values(name, bytes, span, |item| {
        let text = item.trimmed(bytes);
        see("value", if secret { Part::Secret(text) } else { Part::Text(text) });
        with_type(name, Describe { bytes, item, see }).map_err(|e| ValueError { clause, ..e })
    })
}

/// Why a value was not rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// It could not be read.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

struct Rewrite<'a, 'w, 'b> {
    bytes: &'a [u8],
    item: Span,
    out: &'a mut ValueWriter<'w, 'b>,
}

impl WithType for Rewrite<'_, '_, '_> {
    type Out = Result<(), RewriteError>;

    fn with<T: Value>(self) -> Self::Out {
        T::parse(self.bytes, self.item)?.write(self.bytes, self.out)?;
        Ok(())
    }
}

/// Reads the value at `span` of `bytes` and writes it in its usual form: unfolded, one space where
/// the grammar has white space, none around `;` and `=`, `, ` between the items of a list.
///
/// # Errors
/// When it cannot be read, or when there is no room; then nothing is written.
pub fn rewrite(
    name: Name,
    bytes: &[u8],
    span: Span,
    out: &mut ValueWriter<'_, '_>,
) -> Result<(), RewriteError> {
    let mut first = true;
    let start = out.writer.len();
    let done = values(name, bytes, span, |item| {
        if !core::mem::replace(&mut first, false) {
            out.put(b", ")?;
        }
        with_type(name, Rewrite { bytes, item, out: &mut *out })
    });
    if done.is_err() {
        out.writer.truncate(start);
    }
    done
}

impl Value for Via {
    const CLAUSE: &'static str = "RFC 3261 20.42";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let via = Self::next(c).map_err(|wrong| {
            c.at = usize::from(wrong.at);
            ValueErrorKind::Syntax
        })?;
        if via.fault == Fault::Bad { Err(ValueErrorKind::Param) } else { Ok(via) }
    }

    /// The protocol is written as `SIP/2.0`, whatever it was.
    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.put(b"SIP/2.0/")?;
            w.token(self.transport.of(bytes))?;
            w.put(b" ")?;
            w.host(self.host.of(bytes))?;
            w.port(self.port)?;
            super::parts::write_params(w, bytes, self.params)
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("transport", Part::Text(self.transport));
        see("host", Part::Text(self.host));
        if self.port > 0 {
            see("port", Part::Number(u64::from(self.port)));
        }
        let texts = [("branch", self.branch), ("received", self.received), ("maddr", self.maddr)];
        for (name, text) in texts {
            if !text.is_empty() {
                see(name, Part::Text(text));
            }
        }
        match self.rport {
            Some(port) => see("rport", Part::Number(u64::from(port))),
            None if self.rport_asked => see("rport", Part::Flag(true)),
            None => {}
        }
        if let Some(ttl) = self.ttl {
            see("ttl", Part::Number(u64::from(ttl)));
        }
    }
}

impl Value for CSeq {
    const CLAUSE: &'static str = "RFC 3261 20.16";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let number = number(c)?;
        lws(c)?;
        let method_text = token(c)?;
        Ok(Self { number, method: Method::of(c.text(method_text)), method_text })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.number(self.number)?;
            w.put(b" ")?;
            w.token(self.method_text.of(bytes))
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("number", Part::Number(u64::from(self.number)));
        see("method", Part::Text(self.method_text));
    }
}
