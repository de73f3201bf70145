//! What the phone tells: one line an event, for people or as JSON.

use serde_json::{Map, Value};

/// The name of what is no event, but answers a command.
pub const REPLY: &str = "reply";

/// One thing that the phone tells.
#[derive(Clone, PartialEq, Debug)]
pub struct Notice {
    /// Milliseconds since the start.
    pub at: u64,
    /// The event's name, as `wait` knows it.
    pub event: &'static str,
    /// The call that it is about.
    pub call: Option<u64>,
    /// What else is known, by name.
    pub fields: Map<String, Value>,
    /// The same for people.
    pub text: String,
}

impl Notice {
    /// A notice without fields.
    #[must_use]
    pub fn new(at: u64, event: &'static str, call: Option<u64>, text: String) -> Self {
        Self { at, event, call, fields: Map::new(), text }
    }

    /// The same with one field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The text of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        Self::text_of(self.fields.get(name)?)
    }

    /// A value as the text that a script compares it with.
    #[must_use]
    pub fn text_of(value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    /// As a JSON line.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut line = Map::new();
        line.insert("event".into(), self.event.into());
        line.insert("at".into(), self.at.into());
        if let Some(call) = self.call {
            line.insert("call".into(), call.into());
        }
        if self.event == REPLY {
            line.insert("text".into(), self.text.clone().into());
        }
        line.extend(self.fields.clone());
        Value::Object(line)
    }

    /// As a line for people.
    #[must_use]
    pub fn line(&self, colour: bool) -> String {
        if self.event == REPLY {
            return self.text.clone();
        }
        let (dim, bold, end) =
            if colour { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let seconds = format!("{:>4}.{:03}", self.at / 1_000, self.at % 1_000);
        match self.call {
            Some(call) => format!("{dim}{seconds}{end}  {bold}call {call}{end}  {}", self.text),
            None => format!("{dim}{seconds}{end}  {}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_a_line_and_a_json_object() {
        let n =
            Notice::new(12_345, "ended", Some(2), "ended: busy (486)".into()).with("status", 486);
        assert_eq!(n.line(false), "  12.345  call 2  ended: busy (486)");
        assert_eq!(n.json().to_string(), r#"{"at":12345,"call":2,"event":"ended","status":486}"#);
        assert_eq!(n.field("status").as_deref(), Some("486"));
        assert!(n.line(true).contains("\x1b[1mcall 2\x1b[0m"));
    }
}
