//! Ladders as Mermaid sequence diagrams, for pages that render them.

use std::fmt::Write as _;

use crate::chart::Chart;
use crate::story::Kind;

/// Writes a chart as a `sequenceDiagram`.
///
/// Repetitions have dashed arrows, lost messages end in a cross; what the messages mean stands in
/// notes.
#[must_use]
pub fn draw(chart: &Chart) -> String {
    let mut out = String::from("sequenceDiagram\n");
    if !chart.title.is_empty() {
        let _ = writeln!(out, "    accTitle: {}", escape(&chart.title));
    }
    for (i, column) in chart.columns().iter().enumerate() {
        let name = escape(&column.name);
        let detail = escape(&column.detail);
        let below = if detail.is_empty() { String::new() } else { format!("<br/>{detail}") };
        let _ = writeln!(out, "    participant p{i} as {name}{below}");
    }
    let marks = chart.marks();
    for (at, entry) in chart.entries().iter().enumerate() {
        let arrow = match (entry.lost, entry.again) {
            (true, false) => "-x",
            (true, true) => "--x",
            (false, true) => "-->>",
            (false, false) => "->>",
        };
        let (what, about, remark) = entry.label();
        let mut label = escape(&what);
        for more in [about, remark].iter().filter(|m| !m.is_empty()) {
            let _ = write!(label, " {}", escape(more));
        }
        let _ = writeln!(out, "    p{}{arrow}p{}: {label}", entry.from, entry.to);
        for mark in marks.iter().filter(|m| m.after == at) {
            if matches!(mark.kind, Kind::End { .. }) {
                continue;
            }
            let (a, b) = (mark.ends.0.min(mark.ends.1), mark.ends.0.max(mark.ends.1));
            let _ = writeln!(out, "    Note over p{a},p{b}: {}", escape(&mark.text));
        }
    }
    out
}

/// Text as Mermaid takes it in one line: what it would read as its own signs stands as an entity.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '#' => out.push_str("#35;"),
            ';' => out.push_str("#59;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '"' => out.push_str("#quot;"),
            '%' => out.push_str("#37;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    // It reads `end` alone as the end of a block.
    if out.trim().eq_ignore_ascii_case("end") { format!("({})", out.trim()) } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_written_like_this() {
        let mut chart = Chart::new(["a 10.0.0.1", "end", "b;c"]).titled("A & B");
        let options = b"OPTIONS sip:b;x=#1 SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n";
        chart.add(0, 0, 1, options, false);
        chart.add(500, 0, 1, options, true);
        chart.add(
            501,
            1,
            0,
            b"SIP/2.0 302 x\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nm: <sip:z>\r\n\r\n",
            false,
        );
        chart.add(502, 2, 9, b"\r\n\r\n", false);
        let expected = "\
sequenceDiagram
    accTitle: A #amp; B
    participant p0 as a<br/>10.0.0.1
    participant p1 as (end)
    participant p2 as b#59;c
    participant p3 as elsewhere
    p0->>p1: OPTIONS sip:b#59;x=#35;1
    p0--xp1: OPTIONS sip:b#59;x=#35;1 again, lost
    p1->>p0: 302 x
    Note over p0,p1: end forwards to sip:z
    p2->>p3: keep-alive
";
        assert_eq!(draw(&chart), expected);
    }
}
