//! An inspection as text and as JSON.

use std::fmt::Write as _;

use sansip::header::{Part, Uri, describe};
use sansip::wire::{Field, Name, Span, StartLine, Verdict};
use serde_json::{Map, Value, json};

use super::{Found, Inspection};

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One item of a header field: its text and its named parts.
struct Item {
    text: String,
    parts: Vec<(&'static str, Value)>,
}

/// The items of a field; the last is not whole if the value is malformed.
fn items(i: &Inspection<'_>, field: &Field) -> Vec<Item> {
    let bytes = i.message.bytes();
    let mut items: Vec<Item> = Vec::new();
    let mut see = |name: &'static str, part: Part| {
        if let ("value", Part::Text(span)) = (name, part) {
            items.push(Item { text: lossy(span.of(bytes)), parts: Vec::new() });
            return;
        }
        let value = match part {
            Part::Text(span) | Part::Secret(span) => json!(lossy(span.of(bytes))),
            Part::Word(word) => json!(word),
            Part::Number(n) => json!(n),
            Part::Flag(flag) => json!(flag),
        };
        if let Some(item) = items.last_mut() {
            item.parts.push((name, value));
        }
    };
    // What is malformed is among the defects.
    let _ = describe(field.name, bytes, field.value, &mut see);
    items
}

fn uri_parts(i: &Inspection<'_>, span: Span) -> Vec<(&'static str, Value)> {
    let bytes = i.message.bytes();
    let Ok(uri) = Uri::parse_at(bytes, span) else { return Vec::new() };
    let texts = [
        ("scheme", uri.scheme_text),
        ("user", uri.user),
        ("password", uri.password),
        ("host", uri.host),
        ("opaque", uri.opaque),
        ("parameters", uri.params),
        ("headers", uri.headers),
    ];
    let texts = texts.into_iter().filter(|(_, s)| !s.is_empty());
    let mut parts: Vec<_> = texts.map(|(n, s)| (n, json!(lossy(s.of(bytes))))).collect();
    if uri.port != 0 {
        parts.push(("port", json!(uri.port)));
    }
    parts
}

fn verdict(v: Verdict) -> String {
    match v {
        Verdict::Accept => "accepts it".into(),
        Verdict::Answer(status) => format!("answers {status}"),
        Verdict::Drop => "drops it".into(),
    }
}

/// One JSON object.
#[must_use]
pub fn json_of(i: &Inspection<'_>) -> Value {
    let mut out = Map::new();
    match i.message.start() {
        StartLine::Request { method_text, uri, .. } => {
            out.insert("kind".into(), json!("request"));
            out.insert("method".into(), json!(lossy(i.message.text(method_text))));
            out.insert("uri".into(), json!(lossy(i.message.text(uri))));
            out.insert("uri_parts".into(), object(uri_parts(i, uri)));
        }
        StartLine::Response { status, reason, .. } => {
            out.insert("kind".into(), json!("response"));
            out.insert("status".into(), json!(status));
            out.insert("reason".into(), json!(lossy(i.message.text(reason))));
        }
    }
    let headers: Vec<Value> = i.message.fields().map(|field| json_field(i, &field)).collect();
    out.insert("headers".into(), json!(headers));
    let body =
        json!({ "offset": i.begins + i.message.body_at(), "length": i.message.body().len() });
    out.insert("body".into(), body);
    let defects: Vec<Value> = i.defects.iter().map(json_defect).collect();
    out.insert("defects".into(), json!(defects));
    let verdicts = i.verdicts.iter().map(|(name, v)| ((*name).to_owned(), json!(verdict(*v))));
    out.insert("verdicts".into(), Value::Object(verdicts.collect()));
    Value::Object(out)
}

fn json_field(i: &Inspection<'_>, field: &Field) -> Value {
    let written = lossy(i.message.text(field.name_span()));
    let known = if field.name == Name::Other { written.as_str() } else { field.name.as_str() };
    let values: Vec<Value> = items(i, field).into_iter().map(|item| object(item.parts)).collect();
    json!({
        "name": known,
        "written": written,
        "line": i.line_of(i.begins + field.name_span().start()),
        "value": lossy(i.message.text(field.value)),
        "values": values,
    })
}

fn json_defect(d: &Found) -> Value {
    json!({
        "text": d.text,
        "header": d.field,
        "line": d.line,
        "offset": d.offset,
        "length": d.length,
        "clause": d.clause,
        "status": d.status,
    })
}

/// Parts as an object; a name that stands more than once has a list.
fn object(parts: Vec<(&'static str, Value)>) -> Value {
    let mut out = Map::new();
    for (name, value) in parts {
        match out.get_mut(name) {
            None => {
                out.insert(name.into(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    Value::Object(out)
}

/// Text for a terminal. Control bytes of the message are escaped.
#[must_use]
pub fn text_of(i: &Inspection<'_>) -> String {
    let mut out = String::new();
    match i.message.start() {
        StartLine::Request { method_text, uri, .. } => {
            let text = |span| plain(&lossy(i.message.text(span)));
            let _ = writeln!(out, "request {} {}", text(method_text), text(uri));
            write_parts(&mut out, &uri_parts(i, uri));
        }
        StartLine::Response { status, reason, .. } => {
            let _ = writeln!(out, "response {status} {}", plain(&lossy(i.message.text(reason))));
        }
    }
    for field in i.message.fields() {
        text_field(&mut out, i, &field);
    }
    let _ = writeln!(out, "body: {} bytes", i.message.body().len());
    for (name, v) in i.verdicts {
        let _ = writeln!(out, "a {} {}", name.replace('_', " "), verdict(v));
    }
    if i.defects.is_empty() {
        out.push_str("no defects\n");
    }
    for d in &i.defects {
        let field =
            if d.field.is_empty() { String::new() } else { format!("{}: ", plain(&d.field)) };
        let _ = writeln!(
            out,
            "defect at line {}, byte {}: {field}{} ({}; {})",
            d.line, d.offset, d.text, d.clause, d.status
        );
    }
    out
}

fn text_field(out: &mut String, i: &Inspection<'_>, field: &Field) {
    let written = lossy(i.message.text(field.name_span()));
    let name = if field.name == Name::Other { written.as_str() } else { field.name.as_str() };
    let found = items(i, field);
    if found.is_empty() {
        let _ = writeln!(out, "{}: {}", plain(name), plain(&lossy(i.message.text(field.value))));
    }
    for item in found {
        let _ = writeln!(out, "{}: {}", plain(name), plain(&item.text));
        let same = matches!(item.parts.as_slice(), [(_, Value::String(one))] if *one == item.text);
        if !same {
            write_parts(out, &item.parts);
        }
    }
}

fn write_parts(out: &mut String, parts: &[(&'static str, Value)]) {
    for (name, value) in parts {
        let text = match value {
            Value::String(text) => plain(text),
            other => other.to_string(),
        };
        let _ = writeln!(out, "    {name} = {text}");
    }
}

/// Text in which no byte of the message can move the terminal's cursor.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let kept = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(kept)
        })
        .collect()
}
