//! What header values are made of: a head, then parameters (RFC 3261 25.1, generic-param).

use super::name_addr::{NameAddr, quality};
use super::param::{self, Param, Params};
use super::value::{Part, See, ValueErrorKind, number, token};
use crate::wire::scan::{Class, Cursor, Fault, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// What a value begins with, before its parameters.
pub trait Head {
    /// The head as it was read.
    type Out: Copy;

    /// Reads the head at the cursor.
    ///
    /// # Errors
    /// What is wrong at the cursor.
    fn read(c: &mut Cursor<'_>) -> Result<Self::Out, ValueErrorKind>;

    /// Writes the head.
    ///
    /// # Errors
    /// When there is no room.
    fn write(out: Self::Out, bytes: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError>;

    /// Shows the head.
    fn see(out: Self::Out, name: &'static str, see: &mut See<'_>);

    /// Where the parameters are read from; where the head has read over them, its own.
    #[must_use]
    fn tail<'a>(_: Self::Out, c: &Cursor<'a>) -> Cursor<'a> {
        *c
    }
}

macro_rules! span_head {
    ($(#[$doc:meta])* $name:ident, $read:expr, $write:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Head for $name {
            type Out = Span;

            fn read(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
                let read: fn(&mut Cursor<'_>) -> Result<Span, ValueErrorKind> = $read;
                read(c)
            }

            fn write(
                out: Span,
                bytes: &[u8],
                w: &mut ValueWriter<'_, '_>,
            ) -> Result<(), WriteError> {
                let write: fn(&mut ValueWriter<'_, '_>, &[u8]) -> Result<(), WriteError> = $write;
                write(w, out.of(bytes))
            }

            fn see(out: Span, name: &'static str, see: &mut See<'_>) {
                see(name, Part::Text(out));
            }
        }
    };
}

span_head!(
    /// A token.
    TokenHead,
    token,
    |w, text| w.token(text)
);
span_head!(
    /// `word` or `word@word`: a Call-ID (RFC 3261 20.8).
    CallIdHead,
    call_id,
    |w, text| w.of_class(text, Class::WORD | Class::URI)
);
span_head!(
    /// `<uri>`; the span is the URI.
    AngleHead,
    angle,
    |w, text| {
        w.put(b"<")?;
        w.of_class(text, uri_class())?;
        w.put(b">")
    }
);
span_head!(
    /// Anything up to a semicolon outside quotes and angle brackets, maybe nothing.
    LooseHead,
    loose,
    |w, text| w.received(text)
);

fn uri_class() -> Class {
    Class::URI | Class::UTF8
}

fn call_id(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    let start = c.at;
    if c.run(Class::WORD).is_empty() {
        return Err(ValueErrorKind::Syntax);
    }
    if c.eat(b'@') && c.run(Class::WORD).is_empty() {
        return Err(ValueErrorKind::Syntax);
    }
    Ok(c.since(start))
}

fn angle(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    if !c.eat(b'<') {
        return Err(ValueErrorKind::Syntax);
    }
    let uri = c.run(uri_class());
    let scheme = c.text(uri).iter().position(|&b| b == b':');
    if scheme.is_none_or(|at| at == 0) || !c.eat(b'>') {
        return Err(ValueErrorKind::Syntax);
    }
    Ok(uri)
}

fn loose(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    let start = c.at;
    while !c.done() {
        c.until(b"\";<");
        match c.peek() {
            b'"' => drop(c.quoted().ok_or(ValueErrorKind::Syntax)?),
            b'<' => {
                c.until(b">");
                if !c.eat(b'>') {
                    return Err(ValueErrorKind::Syntax);
                }
            }
            _ => break,
        }
    }
    Ok(c.since(start).trimmed(c.bytes()))
}

span_head!(
    /// `*`.
    StarHead,
    |c| {
        let star = c.run(Class::TOKEN);
        if c.text(star) == b"*" { Ok(star) } else { Err(ValueErrorKind::Syntax) }
    },
    |w, text| w.token(text)
);

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct BoolHead;

impl Head for BoolHead {
    type Out = bool;

    fn read(c: &mut Cursor<'_>) -> Result<bool, ValueErrorKind> {
        let word = token(c)?;
        match c.text(word) {
            t if t.eq_ignore_ascii_case(b"true") => Ok(true),
            t if t.eq_ignore_ascii_case(b"false") => Ok(false),
            _ => Err(ValueErrorKind::Syntax),
        }
    }

    fn write(out: bool, _: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        w.put(if out { b"true" } else { b"false" })
    }

    fn see(out: bool, name: &'static str, see: &mut See<'_>) {
        see(name, Part::Flag(out));
    }
}

/// A number of up to 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct NumberHead;

impl Head for NumberHead {
    type Out = u32;

    fn read(c: &mut Cursor<'_>) -> Result<u32, ValueErrorKind> {
        number(c)
    }

    fn write(out: u32, _: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        w.number(out)
    }

    fn see(out: u32, name: &'static str, see: &mut See<'_>) {
        see(name, Part::Number(u64::from(out)));
    }
}

/// Type and subtype of a body; `*` where all are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// The type: `application`, `text`, `multipart` and so on.
    pub kind: Span,
    /// The subtype.
    pub subtype: Span,
}

impl MediaType {
    /// Whether it is this type and subtype, without regard to case.
    #[must_use]
    pub fn is(&self, bytes: &[u8], kind: &[u8], subtype: &[u8]) -> bool {
        self.kind.of(bytes).eq_ignore_ascii_case(kind)
            && self.subtype.of(bytes).eq_ignore_ascii_case(subtype)
    }
}

/// `type/subtype`.
#[derive(Clone, Copy, Debug)]
pub struct MediaHead;

impl Head for MediaHead {
    type Out = MediaType;

    fn read(c: &mut Cursor<'_>) -> Result<MediaType, ValueErrorKind> {
        let kind = token(c)?;
        if !c.eat_ws(b'/') {
            return Err(ValueErrorKind::Syntax);
        }
        Ok(MediaType { kind, subtype: token(c)? })
    }

    fn write(out: MediaType, bytes: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        w.token(out.kind.of(bytes))?;
        w.put(b"/")?;
        w.token(out.subtype.of(bytes))
    }

    fn see(out: MediaType, _: &'static str, see: &mut See<'_>) {
        see("type", Part::Text(out.kind));
        see("subtype", Part::Text(out.subtype));
    }
}

/// A name and address with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct AddrHead;

impl Head for AddrHead {
    type Out = NameAddr;

    fn read(c: &mut Cursor<'_>) -> Result<NameAddr, ValueErrorKind> {
        let start = c.at;
        let addr = NameAddr::next(c).map_err(|wrong| {
            c.at = usize::from(wrong.at);
            ValueErrorKind::Syntax
        })?;
        if addr.fault == Fault::Bad {
            c.at = if c.done() { start } else { c.at };
            return Err(ValueErrorKind::Syntax);
        }
        Ok(addr)
    }

    fn write(addr: NameAddr, bytes: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        match addr.display.of(bytes) {
            [] => {}
            [b'"', inner @ .., b'"'] => {
                w.requoted(inner)?;
                w.put(b" ")?;
            }
            words => {
                w.received(words)?;
                w.put(b" ")?;
            }
        }
        w.put(b"<")?;
        w.of_class(addr.uri_text.of(bytes), uri_class() | Class::LOOSE)?;
        w.put(b">")
    }

    fn see(addr: NameAddr, name: &'static str, see: &mut See<'_>) {
        if !addr.display.is_empty() {
            see("display-name", Part::Text(addr.display));
        }
        see(name, Part::Text(addr.uri_text));
    }

    fn tail<'a>(addr: NameAddr, c: &Cursor<'a>) -> Cursor<'a> {
        Cursor::new(c.bytes(), addr.params)
    }
}

/// A name and address whose URI stands in angle brackets (RFC 3261 25.1, name-addr).
#[derive(Clone, Copy, Debug)]
pub struct BracketHead;

impl Head for BracketHead {
    type Out = NameAddr;

    fn read(c: &mut Cursor<'_>) -> Result<NameAddr, ValueErrorKind> {
        let addr = AddrHead::read(c)?;
        let before = addr.uri_text.start().checked_sub(1).and_then(|at| c.bytes().get(at));
        if before != Some(&b'<') {
            c.at = addr.uri_text.start();
            return Err(ValueErrorKind::Syntax);
        }
        Ok(addr)
    }

    fn write(out: NameAddr, bytes: &[u8], w: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        AddrHead::write(out, bytes, w)
    }

    fn see(out: NameAddr, name: &'static str, see: &mut See<'_>) {
        AddrHead::see(out, name, see);
    }

    fn tail<'a>(out: NameAddr, c: &Cursor<'a>) -> Cursor<'a> {
        AddrHead::tail(out, c)
    }
}

/// Where the value of a known parameter goes.
pub trait Slot: Copy + Default {
    /// Takes the parameter.
    ///
    /// # Errors
    /// When its value is not of this kind or when it came before.
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind>;

    /// Whether the parameter came.
    #[must_use]
    fn is_set(&self) -> bool;

    /// Shows the value, if it came.
    fn see(&self, name: &'static str, see: &mut See<'_>);
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), ValueErrorKind> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ValueErrorKind::Repeated),
    }
}

/// The content of a quoted string without its quotes, or the span itself.
pub(super) fn unquoted(c: &Cursor<'_>, value: Span) -> Span {
    match c.text(value) {
        [b'"', .., b'"'] => {
            Span::new(value.start().saturating_add(1), value.end().saturating_sub(1))
        }
        _ => value,
    }
}

impl Slot for Option<Span> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        once(self, unquoted(c, p.value.ok_or(ValueErrorKind::Param)?))
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(text) = *self {
            see(name, Part::Text(text));
        }
    }
}

impl Slot for Option<u32> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        let mut digits = Cursor::new(c.bytes(), p.value.ok_or(ValueErrorKind::Param)?);
        let value = number(&mut digits)?;
        if !digits.done() {
            return Err(ValueErrorKind::Number);
        }
        once(self, value)
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(number) = *self {
            see(name, Part::Number(u64::from(number)));
        }
    }
}

/// A `qvalue` in thousandths, 0 to 1000 (RFC 3261 25.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(pub u16);

impl Quality {
    /// What is meant where nothing is said.
    pub const FULL: Self = Self(1000);
}

impl Slot for Option<Quality> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        let text = c.text(p.value.ok_or(ValueErrorKind::Param)?);
        once(self, Quality(quality(text).ok_or(ValueErrorKind::Number)?))
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(quality) = *self {
            see(name, Part::Number(u64::from(quality.0)));
        }
    }
}

/// A parameter that is there or not; a value is let pass.
impl Slot for bool {
    fn fill(&mut self, _: &Cursor<'_>, _: Param) -> Result<(), ValueErrorKind> {
        if core::mem::replace(self, true) { Err(ValueErrorKind::Repeated) } else { Ok(()) }
    }

    fn is_set(&self) -> bool {
        *self
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if *self {
            see(name, Part::Flag(true));
        }
    }
}

/// `true` or `false`; anything but `true` counts as false (RFC 7616 section 3.3, stale).
impl Slot for Option<bool> {
    fn fill(&mut self, c: &Cursor<'_>, p: Param) -> Result<(), ValueErrorKind> {
        let value = c.text(unquoted(c, p.value.ok_or(ValueErrorKind::Param)?));
        once(self, value.eq_ignore_ascii_case(b"true"))
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn see(&self, name: &'static str, see: &mut See<'_>) {
        if let Some(flag) = *self {
            see(name, Part::Flag(flag));
        }
    }
}

/// Reads the parameters at the cursor and shows each to `known`; gives the span from the first
/// semicolon to the end of the last.
pub(super) fn read_params<'a>(
    c: &mut Cursor<'a>,
    mut known: impl FnMut(&Cursor<'a>, &'a [u8], Param) -> Result<(), ValueErrorKind>,
) -> Result<Span, ValueErrorKind> {
    c.ws();
    let start = c.at;
    let mut end = start;
    let mut fault = Fault::None;
    while c.eat(b';') {
        let at = c.at;
        let p = param::next(c, &mut fault);
        let value = p.value.unwrap_or(p.name);
        if fault == Fault::Bad {
            c.at = at;
            return Err(ValueErrorKind::Param);
        }
        if let Err(kind) = known(c, c.text(p.name), p) {
            c.at = value.start();
            return Err(kind);
        }
        end = value.end();
    }
    if !c.done() {
        return Err(ValueErrorKind::Trailing);
    }
    Ok(Span::new(start, end))
}

/// Writes parameters in their order, without the white space that stood between them.
pub(super) fn write_params(
    w: &mut ValueWriter<'_, '_>,
    bytes: &[u8],
    params: Span,
) -> Result<(), WriteError> {
    for p in Params::new(bytes, params) {
        w.param(p.name.of(bytes), None)?;
        if let Some(value) = p.value {
            w.put(b"=")?;
            write_param_value(w, value.of(bytes))?;
        }
    }
    Ok(())
}

pub(super) fn write_param_value(
    w: &mut ValueWriter<'_, '_>,
    value: &[u8],
) -> Result<(), WriteError> {
    match value {
        [b'"', inner @ .., b'"'] => w.requoted(inner),
        [b'<', inner @ .., b'>'] => {
            w.put(b"<")?;
            w.of_class(inner, uri_class())?;
            w.put(b">")
        }
        value => w.of_class(value, Class::LOOSE | Class::UTF8),
    }
}

/// Defines header values of a head and parameters: a struct of the head, the known parameters and
/// the span of all parameters, and how it is read, written and shown.
macro_rules! parameterised {
    ($(
        $(#[$doc:meta])*
        $name:ident, $clause:literal {
            $(#[$head_doc:meta])*
            $head:ident: $rule:ty;
            $($(#[$param_doc:meta])* $param:ident: $slot:ty = $text:literal $(($must:path))?;)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[$head_doc])*
            pub $head: <$rule as $crate::header::parts::Head>::Out,
            $($(#[$param_doc])* pub $param: $slot,)*
            /// All parameters from the first semicolon; see [`Params`](crate::header::Params).
            pub params: $crate::wire::scan::Span,
        }

        impl $crate::header::Value for $name {
            const CLAUSE: &'static str = $clause;

            fn read(
                c: &mut $crate::wire::scan::Cursor<'_>,
            ) -> Result<Self, $crate::header::ValueErrorKind> {
                use $crate::header::parts::{Head, read_params};
                let $head = <$rule as Head>::read(c)?;
                $(let mut $param = <$slot>::default();)*
                let mut tail = <$rule as Head>::tail($head, c);
                let own = tail.end() == c.end();
                let params = read_params(&mut tail, |c, name, p| {
                    $(if name.eq_ignore_ascii_case($text.as_bytes()) {
                        return $crate::header::parts::Slot::fill(&mut $param, c, p);
                    })*
                    let _ = (c, name, p);
                    Ok(())
                });
                if own || params.is_err() {
                    c.at = tail.at;
                }
                let params = params?;
                $($(
                    $must(&$param)?;
                )?)*
                Ok(Self { $head, $($param,)* params })
            }

            fn write(
                &self,
                bytes: &[u8],
                out: &mut $crate::header::ValueWriter<'_, '_>,
            ) -> Result<(), $crate::wire::write::WriteError> {
                use $crate::header::parts::{Head, write_params};
                out.whole(|w| {
                    <$rule as Head>::write(self.$head, bytes, w)?;
                    write_params(w, bytes, self.params)
                })
            }

            fn parts(&self, see: &mut $crate::header::See<'_>) {
                use $crate::header::parts::Head;
                <$rule as Head>::see(self.$head, stringify!($head), see);
                $($crate::header::parts::Slot::see(&self.$param, $text, see);)*
                if !self.params.is_empty() {
                    see("params", $crate::header::Part::Text(self.params));
                }
            }
        }
    )*};
}
pub(super) use parameterised;

pub(super) fn required(slot: &impl Slot) -> Result<(), ValueErrorKind> {
    if slot.is_set() { Ok(()) } else { Err(ValueErrorKind::Missing) }
}
