//! Ladders as pictures: SVG that stands alone, in light and in dark.
//!
//! A column for each party, an arrow for each message, a colour for each transaction: those of one
//! call are of one family. Repetitions are dashed. Bars at the sides of the lifelines say whose
//! media are up, hatched while one holds the other.

use std::fmt::Write as _;

use crate::chart::{Chart, Entry, cut, width_of};
use crate::story::{Kind, Mark};

/// Pixels that a character of the labels takes in a font of one width, at most.
const CHAR: f64 = 7.3;
/// The same of the small print.
const SMALL: f64 = 6.3;
const MESSAGE: f64 = 35.0;
const REMARK: f64 = 30.0;
const PAUSE: f64 = 24.0;
const HEAD: f64 = 46.0;
/// A gap of time that earns a row of its own.
const PAUSE_MS: u64 = 1_000;
/// A picture with more messages than this says the names again at its foot.
const LONG: usize = 12;

/// The colours of the transactions: of each call a family of four.
const LIGHT: [[&str; 4]; 4] = [
    ["#1d4ed8", "#0e7490", "#4f46e5", "#0369a1"],
    ["#c2410c", "#b91c1c", "#92400e", "#9d174d"],
    ["#15803d", "#4d7c0f", "#0f766e", "#3f6212"],
    ["#a21caf", "#7e22ce", "#be185d", "#86198f"],
];
const DARK: [[&str; 4]; 4] = [
    ["#7cb0ff", "#5fd4ec", "#b9a5ff", "#6cc7f7"],
    ["#ffa066", "#ff9a92", "#f2c063", "#ff9fc4"],
    ["#6fdd8b", "#b6dd5c", "#5fdcc8", "#a9cf85"],
    ["#f0a0fa", "#cda2ff", "#ff9fd2", "#e9b0f5"],
];
const LIGHT_PAPER: &str = "#ffffff";
const DARK_PAPER: &str = "#10151c";

/// Draws a chart.
#[must_use]
pub fn draw(chart: &Chart) -> String {
    let rows = rows(chart);
    let plan = Plan::of(chart, &rows);
    let mut out = Drawing::default();
    plan.begin(&mut out);
    plan.lifelines(&mut out);
    plan.bars(&mut out);
    plan.heads(&mut out, plan.top);
    for (row, y) in plan.rows.iter().zip(&plan.at) {
        match row {
            Row::Message(at, entry) => plan.message(&mut out, *at, entry, *y),
            Row::Remark(mark) => plan.remark(&mut out, mark, *y),
            Row::Pause(ms) => plan.pause(&mut out, *ms, *y),
            Row::End(_) => {}
        }
    }
    if chart.entries().len() > LONG {
        plan.heads(&mut out, plan.foot);
    }
    out.0.push_str("</svg>\n");
    out.0
}

enum Row<'a> {
    Message(usize, &'a Entry),
    Remark(Mark),
    Pause(u64),
    End(Mark),
}

impl Row<'_> {
    const fn height(&self) -> f64 {
        match self {
            Self::Message(..) => MESSAGE,
            Self::Remark(_) => REMARK,
            Self::Pause(_) => PAUSE,
            Self::End(_) => 0.0,
        }
    }
}

fn rows(chart: &Chart) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    let marks = chart.marks();
    let mut last: Option<u64> = None;
    for (at, entry) in chart.entries().iter().enumerate() {
        let pause = last.map_or(0, |t| entry.time_ms.saturating_sub(t));
        if pause >= PAUSE_MS {
            rows.push(Row::Pause(pause));
        }
        last = Some(entry.time_ms);
        rows.push(Row::Message(at, entry));
        for mark in marks.iter().filter(|m| m.after == at) {
            let silent = matches!(mark.kind, Kind::End { .. });
            rows.push(if silent { Row::End(mark.clone()) } else { Row::Remark(mark.clone()) });
        }
    }
    rows
}

struct Plan<'a> {
    chart: &'a Chart,
    rows: &'a [Row<'a>],
    /// The top of each row.
    at: Vec<f64>,
    gutter: f64,
    gap: f64,
    first: f64,
    top: f64,
    foot: f64,
    width: f64,
    height: f64,
}

impl<'a> Plan<'a> {
    fn of(chart: &'a Chart, rows: &'a [Row<'a>]) -> Self {
        let gap = gap(chart);
        let top = if chart.title.is_empty() { 14.0 } else { 46.0 };
        let mut y = top + HEAD + 8.0;
        let mut at = Vec::with_capacity(rows.len());
        for row in rows {
            at.push(y);
            y += row.height();
        }
        let foot = y + 8.0;
        let long = chart.entries().len() > LONG;
        let height = if long { foot + HEAD + 14.0 } else { foot + 10.0 };
        let gutter = gutter(chart);
        let first = gutter + head_width(gap) / 2.0 + 8.0;
        let last = first + gap * (chart.columns().len().saturating_sub(1)) as f64;
        let lone = if chart.columns().len() < 2 { gap } else { 0.0 };
        let width = last + head_width(gap) / 2.0 + 20.0 + lone;
        let title = width_of(&chart.title) as f64 * 9.0 + 40.0;
        Self { chart, rows, at, gutter, gap, first, top, foot, width: width.max(title), height }
    }

    fn x(&self, column: usize) -> f64 {
        self.first + self.gap * column as f64
    }

    fn begin(&self, out: &mut Drawing) {
        let (w, h) = (self.width, self.height);
        out.line(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.0}\" height=\"{h:.0}\" \
             viewBox=\"0 0 {w:.0} {h:.0}\" role=\"img\">"
        ));
        out.line(&format!("<title>{}</title>", escape(&self.chart.title)));
        out.line(&style());
        out.line(&format!("<rect class=\"paper\" width=\"{w:.0}\" height=\"{h:.0}\"/>"));
        if !self.chart.title.is_empty() {
            let title = cut(&self.chart.title, ((w - 32.0) / 9.0) as usize);
            out.text((16.0, 29.0), Anchor::Start, 16, "title", &title);
        }
    }

    fn heads(&self, out: &mut Drawing, y: f64) {
        let w = head_width(self.gap);
        for (i, column) in self.chart.columns().iter().enumerate() {
            let x = self.x(i);
            let left = x - w / 2.0;
            out.line(&format!(
                "<rect class=\"head\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" \
                 height=\"{HEAD}\" rx=\"7\"/>"
            ));
            let lone = column.detail.is_empty();
            let name = cut(&column.name, ((w - 12.0) / 8.5) as usize);
            let down = if lone { 28.0 } else { 20.0 };
            out.text((x, y + down), Anchor::Middle, 14, "name", &name);
            if !lone {
                let detail = cut(&column.detail, ((w - 10.0) / SMALL) as usize);
                out.text((x, y + 37.0), Anchor::Middle, 10, "dim", &detail);
            }
        }
        if y < self.at.first().copied().unwrap_or(0.0) {
            out.text((self.gutter - 14.0, y + 28.0), Anchor::End, 10, "dim", "ms");
        }
    }

    fn lifelines(&self, out: &mut Drawing) {
        let (top, end) = (self.top + HEAD, self.foot);
        for i in 0..self.chart.columns().len() {
            let x = self.x(i);
            out.line(&format!("<path class=\"life\" d=\"M{x:.1} {top:.1}V{end:.1}\"/>"));
        }
        for (row, y) in self.rows.iter().zip(&self.at) {
            if matches!(row, Row::Pause(_)) {
                let (w, h) = (self.width, PAUSE - 8.0);
                let y = y + 4.0;
                out.line(&format!(
                    "<rect class=\"paper\" x=\"0\" y=\"{y:.1}\" width=\"{w:.0}\" height=\"{h}\"/>"
                ));
                for i in 0..self.chart.columns().len() {
                    let x = self.x(i);
                    out.line(&format!("<path class=\"life gap\" d=\"M{x:.1} {y:.1}v{h}\"/>"));
                }
            }
        }
    }

    /// The media of each call, at its two ends, from when they are up until they are not.
    fn bars(&self, out: &mut Drawing) {
        for (at, row) in self.rows.iter().enumerate() {
            let Row::Remark(mark) = row else { continue };
            let Kind::Media { call, there, back } = mark.kind else { continue };
            let until =
                self.rows.iter().enumerate().skip(at + 1).find(|(_, r)| ends(r, call, mark));
            let from = self.at[at] + REMARK / 2.0;
            let to = until.map_or(self.foot, |(i, r)| match r {
                Row::End(_) => self.at[i],
                _ => self.at[i] + REMARK / 2.0,
            });
            let (a, b) = (self.x(mark.ends.0), self.x(mark.ends.1));
            let (left, right, h) = (a.min(b), a.max(b), to - from);
            let held = !(there && back);
            if held {
                let (w, band) = (right - left, family(call));
                out.line(&format!(
                    "<rect class=\"band b{band}\" x=\"{left:.1}\" y=\"{from:.1}\" \
                     width=\"{w:.1}\" height=\"{h:.1}\"/>"
                ));
            }
            let kind = if held { "held" } else { "up" };
            // Calls that share an end stand side by side.
            let aside = 5.0 * (call % 4) as f64;
            for x in [a - aside - 2.5, b + aside - 2.5] {
                out.line(&format!(
                    "<rect class=\"bar {kind} b{}\" x=\"{x:.1}\" y=\"{from:.1}\" width=\"5\" \
                     height=\"{h:.1}\" rx=\"2\"/>",
                    family(call)
                ));
            }
        }
    }

    fn message(&self, out: &mut Drawing, at: usize, entry: &Entry, top: f64) {
        let y = top + 25.0;
        let colour = format!("{}{}", family(entry.call), entry.transaction % 4);
        let dashed = if entry.again { " again" } else { "" };
        let _ = write!(out.0, "<g class=\"t{colour}{dashed}\" id=\"m{}\">", at + 1);
        let whole = String::from_utf8_lossy(&entry.bytes);
        let tip = if self.chart.whole { whole.trim_end().to_string() } else { entry.first_line() };
        out.line(&format!("<title>{}</title>", escape(&tip)));
        let (a, b) = (self.x(entry.from), self.x(entry.to));
        if entry.from == entry.to {
            out.line(&format!("<path class=\"shaft\" d=\"M{a:.1} {y:.1}h9v-9h-6\"/>"));
        } else {
            arrow(out, a, b, y, entry.lost);
        }
        let label = fit(entry.label(), ((self.gap - 26.0) / CHAR) as usize);
        out.label((self.label_at(entry), y - 7.0), &label);
        out.line("</g>");
        out.text((self.gutter - 14.0, y + 3.0), Anchor::End, 10, "dim", &entry.time_ms.to_string());
    }

    /// The middle of a label: between two lifelines, on none.
    fn label_at(&self, entry: &Entry) -> f64 {
        let (from, to) = (entry.from, entry.to);
        let over = from.abs_diff(to).saturating_sub(1) / 2;
        let last = from > 0 && from + 1 == self.chart.columns().len();
        let leftwards = to < from || (to == from && last);
        let steps = over as f64 + 0.5;
        self.x(from) + self.gap * if leftwards { -steps } else { steps }
    }

    fn remark(&self, out: &mut Drawing, mark: &Mark, top: f64) {
        let (a, b) = (self.x(mark.ends.0), self.x(mark.ends.1));
        let room = ((self.width - self.gutter - 40.0) / CHAR) as usize;
        let text = cut(&mark.text, room);
        let w = width_of(&text) as f64 * CHAR + 22.0;
        let middle = ((a + b) / 2.0)
            .clamp(self.gutter + w / 2.0, (self.width - w / 2.0 - 8.0).max(self.gutter + w / 2.0));
        let y = top + REMARK / 2.0;
        let kind = match mark.kind {
            Kind::Media { call, .. } => format!("media b{}", family(call)),
            _ => "turn".to_string(),
        };
        if let Kind::Media { there, back, .. } = mark.kind {
            let _ = write!(out.0, "<g class=\"{kind}\">");
            flow(out, a, b, y, (there, back));
            out.line("</g>");
        }
        let (left, up) = (middle - w / 2.0, y - 10.0);
        out.line(&format!(
            "<rect class=\"pill {kind}\" x=\"{left:.1}\" y=\"{up:.1}\" width=\"{w:.1}\" \
             height=\"20\" rx=\"10\"/>"
        ));
        out.text((middle, y + 4.0), Anchor::Middle, 12, "said", &text);
    }

    fn pause(&self, out: &mut Drawing, ms: u64, top: f64) {
        let text = format!("+{}.{} s", ms / 1_000, ms % 1_000 / 100);
        out.text((self.gutter - 14.0, top + PAUSE / 2.0 + 3.0), Anchor::End, 10, "wait", &text);
    }
}

fn ends(row: &Row<'_>, call: usize, of: &Mark) -> bool {
    let same = |m: &Mark| m.ends == of.ends || m.ends == (of.ends.1, of.ends.0);
    match row {
        Row::Remark(m) => matches!(m.kind, Kind::Media { call: c, .. } if c == call) && same(m),
        Row::End(m) => matches!(m.kind, Kind::End { call: c } if c == call) && same(m),
        _ => false,
    }
}

const fn family(call: usize) -> usize {
    call % LIGHT.len()
}

/// Between two lifelines: what the labels of neighbours need, within bounds.
fn gap(chart: &Chart) -> f64 {
    let widest = chart.entries().iter().filter(|e| e.from.abs_diff(e.to) == 1).map(|e| {
        let (what, about, remark) = e.label();
        width_of(&what) + width_of(&about) + width_of(&remark) + 4
    });
    (widest.max().unwrap_or(0) as f64 * CHAR + 30.0).clamp(180.0, 310.0)
}

/// Room for the times.
fn gutter(chart: &Chart) -> f64 {
    let longest = chart.entries().last().map_or(0, |e| e.time_ms.to_string().len() + 1);
    (longest as f64 * SMALL + 24.0).max(64.0)
}

fn head_width(gap: f64) -> f64 {
    (gap - 28.0).min(170.0)
}

/// Takes from a label what has no room: first the address, then the remark.
fn fit((what, about, remark): (String, String, String), room: usize) -> (String, String, String) {
    let what = cut(&what, room);
    let mut left = room.saturating_sub(width_of(&what) + 1);
    let remark = if width_of(&remark) <= left { remark } else { String::new() };
    left = left.saturating_sub(width_of(&remark) + usize::from(!remark.is_empty()));
    let about = if left >= 6.min(width_of(&about)) { cut(&about, left) } else { String::new() };
    (what, about, remark)
}

fn arrow(out: &mut Drawing, a: f64, b: f64, y: f64, lost: bool) {
    let sign = if a < b { 1.0 } else { -1.0 };
    let (start, end) = (a + sign * 3.0, b - sign * 3.0);
    if lost {
        let stop = a + (b - a) * 0.86;
        let (l, r, u, d) = (stop - 4.5, stop + 4.5, y - 4.5, y + 4.5);
        out.line(&format!("<path class=\"shaft\" d=\"M{start:.1} {y:.1}H{stop:.1}\"/>"));
        out.line(&format!(
            "<path class=\"cross\" d=\"M{l:.1} {u:.1}L{r:.1} {d:.1}M{l:.1} {d:.1}L{r:.1} {u:.1}\"/>"
        ));
        return;
    }
    let neck = end - sign * 8.0;
    out.line(&format!("<path class=\"shaft\" d=\"M{start:.1} {y:.1}H{neck:.1}\"/>"));
    head(out, end, y, sign);
}

fn head(out: &mut Drawing, end: f64, y: f64, sign: f64) {
    let (back, u, d) = (end - sign * 9.0, y - 4.5, y + 4.5);
    out.line(&format!("<path class=\"point\" d=\"M{end:.1} {y:.1}L{back:.1} {u:.1}V{d:.1}Z\"/>"));
}

/// The line of media between two ends.
fn flow(out: &mut Drawing, a: f64, b: f64, y: f64, (there, back): (bool, bool)) {
    let sign = if a < b { 1.0 } else { -1.0 };
    let (from, to) = (a + sign * 12.0, b - sign * 12.0);
    let kind = if there || back { "shaft" } else { "shaft none" };
    out.line(&format!("<path class=\"{kind}\" d=\"M{from:.1} {y:.1}H{to:.1}\"/>"));
    if there {
        head(out, to + sign * 4.0, y, sign);
    }
    if back {
        head(out, from - sign * 4.0, y, -sign);
    }
}

#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Default)]
struct Drawing(String);

impl Drawing {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: u8, class: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.line(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" \
             font-size=\"{size}\">{}</text>",
            escape(text)
        ));
    }

    /// What a message is stands out; what it is about does not.
    fn label(&mut self, (x, y): (f64, f64), (what, about, remark): &(String, String, String)) {
        let _ = write!(
            self.0,
            "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" \
             font-size=\"12\"><tspan class=\"what\">{}</tspan>",
            escape(what)
        );
        for (class, text) in [("about", about), ("mark", remark)] {
            if !text.is_empty() {
                let _ =
                    write!(self.0, "<tspan class=\"{class}\" dx=\"7\">{}</tspan>", escape(text));
            }
        }
        self.line("</text>");
    }
}

/// Text as XML takes it: marked up where it has to be, and without what XML has no way to say.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => {}
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn style() -> String {
    let mut css = String::from("<style>\n");
    css.push_str(
        "text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n\
         .title,.name{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;\
         font-weight:600}\n\
         .what{font-weight:600}.life{stroke-width:1.2;fill:none}.gap{stroke-dasharray:1.5 3.5}\n\
         .shaft{stroke-width:1.6;fill:none}.cross{stroke-width:2.2;fill:none}\n\
         .again .shaft{stroke-dasharray:6 4}.media .shaft{stroke-width:3}\n\
         .media .none{stroke-dasharray:2 5}.bar.up{opacity:.75}.bar.held{fill-opacity:.12;\
         stroke-width:1;stroke-dasharray:3 3}.band{opacity:.07}.label{paint-order:stroke;\
         stroke-width:4;stroke-linejoin:round}.pill{stroke-width:1.2}\n",
    );
    css.push_str(&colours(
        LIGHT_PAPER,
        ["#1f2937", "#64748b", "#cbd5e1", "#f1f5f9", "#fef3c7", "#b45309"],
        &LIGHT,
    ));
    css.push_str("@media (prefers-color-scheme: dark){\n");
    css.push_str(&colours(
        DARK_PAPER,
        ["#e6edf3", "#94a3b8", "#3b4656", "#1c2430", "#332a12", "#d9a441"],
        &DARK,
    ));
    css.push_str("}\n</style>");
    css
}

fn colours(
    paper: &str,
    [ink, dim, line, head, turn, edge]: [&str; 6],
    calls: &[[&str; 4]; 4],
) -> String {
    let mut css = format!(
        ".paper{{fill:{paper}}}.title,.name,.said{{fill:{ink}}}.dim,.wait,.about{{fill:{dim}}}\
         .life{{stroke:{line}}}.head{{fill:{head};stroke:{line}}}.label{{stroke:{paper}}}\
         .pill{{fill:{paper}}}.pill.turn{{fill:{turn};stroke:{edge}}}\n"
    );
    for (call, family) in calls.iter().enumerate() {
        let _ = writeln!(
            css,
            ".b{call}{{fill:{0};stroke:{0}}}.band.b{call},.bar.up.b{call}{{stroke:none}}\
             .pill.b{call}{{fill:{paper}}}",
            family[0]
        );
        for (n, colour) in family.iter().enumerate() {
            let _ = writeln!(
                css,
                ".t{call}{n} .shaft,.t{call}{n} .cross{{stroke:{colour}}}.t{call}{n} .point,\
                 .t{call}{n} .what,.t{call}{n} .mark{{fill:{colour}}}"
            );
        }
    }
    css
}
