//! One JSON line an event, on standard output.

use std::io::Write;

use serde_json::{Map, Value, json};

/// Writes lines. What cannot be written (the reader has gone) is not worth stopping for.
#[derive(Debug, Default)]
pub struct Report {
    line: Vec<u8>,
    quiet: bool,
}

impl Report {
    /// A report that writes nothing.
    #[must_use]
    pub fn quiet() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    /// Writes `value` as one line and flushes it.
    pub fn line(&mut self, value: &Value) {
        if self.quiet {
            return;
        }
        self.line.clear();
        if serde_json::to_writer(&mut self.line, value).is_ok() {
            self.line.push(b'\n');
            let mut out = std::io::stdout().lock();
            let _ = out.write_all(&self.line).and_then(|()| out.flush());
        }
    }

    /// The line that says where it listens.
    pub fn listening(&mut self, addresses: &[(sansip::Transport, std::net::SocketAddr)]) {
        let mut line = Map::new();
        line.insert("event".into(), json!("listening"));
        for (transport, address) in addresses {
            let name = transport.as_str().to_ascii_lowercase();
            let text = json!(address.to_string());
            match line.get_mut(&name) {
                None => {
                    line.insert(name, text);
                }
                Some(Value::Array(list)) => list.push(text),
                Some(one) => *one = json!([one.take(), text]),
            }
        }
        self.line(&Value::Object(line));
    }
}
