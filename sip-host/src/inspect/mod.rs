//! What can be said of one message: its parts as typed values, and its defects.

mod show;

use std::collections::TryReserveError;

use sansip::header::{Essentials, check_at};
use sansip::sdp::{Description, MediaSlot, SdpError, SdpLimits};
use sansip::wire::{
    Defect, Framing, Index, MessageRef, Name, NotSip, Role, Span, Verdict, WireLimits, judge, parse,
};

pub use show::{json_of, text_of};

/// Something wrong with a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What, in words.
    pub text: String,
    /// The header field it is in; empty for the start line and the body.
    pub field: String,
    /// The first byte of it, from 0, in the file.
    pub offset: usize,
    /// How many bytes it is.
    pub length: usize,
    /// Its line in the file, from 1.
    pub line: usize,
    /// The clause that it breaks.
    pub clause: &'static str,
    /// The status that a request with it would earn where it is refused.
    pub status: u16,
}

/// What can be said of one message.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// The message.
    pub message: MessageRef<'a>,
    /// Where it begins in the file, behind empty lines.
    pub begins: usize,
    /// Everything wrong with it, by position.
    pub defects: Vec<Found>,
    /// What each role does with it by its defects.
    pub verdicts: [(&'static str, Verdict); 3],
    file: &'a [u8],
}

/// Enough that the limits of a person's file are the wire's own.
const LIMITS: WireLimits = WireLimits { fields: 4_096, defects: 1_024, ..WireLimits::DEFAULT };

impl<'a> Inspection<'a> {
    /// Room for an inspection.
    ///
    /// # Errors
    /// When there is not that much memory.
    pub fn room() -> Result<Index, TryReserveError> {
        Index::new(&LIMITS)
    }

    /// Inspects the message in `file`.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(file: &'a [u8], stream: bool, room: &'a mut Index) -> Result<Self, NotSip> {
        let framing = if stream { Framing::Stream } else { Framing::Datagram };
        let message = parse(file, &LIMITS, framing, room)?;
        let begins = message.consumed() - message.bytes().len();
        let essentials = Essentials::of(&message);
        let roles = [
            ("user_agent", Role::UserAgent),
            ("proxy", Role::Proxy),
            ("registrar", Role::Registrar),
        ];
        let verdicts = roles.map(|(name, role)| (name, judge(role, &message, &essentials)));
        let mut this = Self { message, begins, defects: Vec::new(), verdicts, file };
        for defect in message.defects().chain(essentials.defects()) {
            this.add(&defect);
        }
        this.check_values();
        this.check_sdp();
        this.defects.sort_by_key(|d| d.offset);
        Ok(this)
    }

    fn add(&mut self, defect: &Defect) {
        let field = if defect.name == Name::Other { "" } else { defect.name.as_str() };
        let text = defect.text().to_owned();
        self.found(text, field.to_owned(), defect.at, (defect.clause(), defect.status()));
    }

    fn found(
        &mut self,
        text: String,
        field: String,
        at: Span,
        (clause, status): (&'static str, u16),
    ) {
        let offset = self.begins + at.start();
        let line = self.line_of(offset);
        self.defects.push(Found {
            text,
            field,
            offset,
            length: at.len.into(),
            line,
            clause,
            status,
        });
    }

    /// The line of a byte of the file.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        let before = self.file.get(..offset).unwrap_or(self.file);
        1 + before.iter().filter(|c| **c == b'\n').count()
    }

    /// The values that no defect found so far is about.
    fn check_values(&mut self) {
        let message = self.message;
        for field in message.fields() {
            let within = |d: &Found| {
                let at = d.offset.checked_sub(self.begins);
                at.is_some_and(|at| at >= field.name_span().start() && at <= field.value.end())
            };
            if self.defects.iter().any(within) {
                continue;
            }
            if let Err(e) = check_at(field.name, message.bytes(), field.value) {
                let at = Span::new(e.at.into(), field.value.end());
                let name = String::from_utf8_lossy(message.text(field.name_span())).into_owned();
                self.found(e.kind.to_string(), name, at, (e.clause, 400));
            }
        }
    }

    /// What is wrong with a session description in the body.
    fn check_sdp(&mut self) {
        let kind = self.message.header(Name::ContentType).unwrap_or(&[]);
        let kind = kind.split(|c| *c == b';').next().unwrap_or(kind).trim_ascii();
        if !kind.eq_ignore_ascii_case(b"application/sdp") {
            return;
        }
        let body = self.message.body();
        let mut slots = [MediaSlot::default(); 64];
        let mut errors: Vec<SdpError> = Vec::new();
        match Description::parse(body, &mut slots, &SdpLimits::default()) {
            Err(e) => errors.push(e),
            Ok(description) => description.defects(|e| {
                errors.push(e);
                errors.len() < 64
            }),
        }
        let begins = self.message.body_at();
        for e in errors {
            let missing = e.line == 0;
            let at = begins + if missing { body.len() } else { usize::from(e.offset) };
            let text = format!("session description: {}", e.kind);
            self.found(text, String::new(), Span::new(at, at), (e.kind.clause(), 400));
        }
    }
}
