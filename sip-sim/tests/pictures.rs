//! Ladders as SVG: what they show, and that nobody has trouble reading it.

use sansip_sim::chart::Chart;
use sansip_sim::story::Kind;
use sansip_sim::svg;

/// A message of one of these calls; `more` are further fields, then a body after an empty line.
fn say(start: &str, call: &str, from: &str, cseq: &str, more: &str) -> Vec<u8> {
    let start = if start.starts_with(char::is_numeric) {
        format!("SIP/2.0 {start}")
    } else {
        format!("{start} SIP/2.0")
    };
    format!(
        "{start}\r\nCall-ID: {call}\r\nFrom: <sip:x@example.com>;tag={from}\r\nCSeq: {cseq}\r\n{more}"
    )
    .into_bytes()
}

fn sdp(direction: &str) -> String {
    format!(
        "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
    )
}

const A: usize = 0;
const P: usize = 1;
const B: usize = 2;
const C: usize = 3;

struct Run(Chart, u64);

impl Run {
    fn both(&mut self, path: [usize; 3], bytes: &[u8]) {
        self.0.add(self.1, path[0], path[1], bytes, false);
        self.0.add(self.1 + 1, path[1], path[2], bytes, false);
        self.1 += 20;
    }

    fn invite(
        &mut self,
        path: [usize; 3],
        call: &str,
        cseq: u32,
        (offer, answer): (&str, &str),
        more: &str,
    ) {
        let (from, back) = (path[0].to_string(), [path[2], path[1], path[0]]);
        let cseq_of = |m: &str| format!("{cseq} {m}");
        let uri = ["alice", "proxy", "bob", "carol"][path[2]];
        let offer = format!("{more}{}", sdp(offer));
        self.both(
            path,
            &say(&format!("INVITE sip:{uri}@example.com"), call, &from, &cseq_of("INVITE"), &offer),
        );
        if cseq == 1 {
            self.both(back, &say("180 Ringing", call, &from, &cseq_of("INVITE"), ""));
            self.1 += 1_500;
        }
        self.both(back, &say("200 OK", call, &from, &cseq_of("INVITE"), &sdp(answer)));
        self.both(
            path,
            &say(
                &format!("ACK sip:{uri}@10.0.0.{}", path[2] + 1),
                call,
                &from,
                &cseq_of("ACK"),
                "",
            ),
        );
    }
}

/// A calls B, holds B, asks C, transfers B to C; messages are lost on the way and repeated.
fn transfer() -> Chart {
    let names = ["A 10.0.0.1:5060", "P 10.0.0.9:5060", "B 10.0.0.2:5060", "C 10.0.0.3:5060"];
    let mut run = Run(Chart::new(names).titled("A talks to B, asks C, and transfers B to C"), 0);
    let lost = say("INVITE sip:bob@example.com", "one", "0", "1 INVITE", &sdp("sendrecv"));
    run.0.add(0, A, P, &lost, true);
    run.1 = 500;
    run.invite([A, P, B], "one", 1, ("sendrecv", "sendrecv"), "");
    run.invite([A, P, B], "one", 2, ("sendonly", "recvonly"), "");
    run.invite([A, P, C], "two", 1, ("sendrecv", "sendrecv"), "");
    let to = "Refer-To: <sip:carol@example.com?Replaces=two%3Bto-tag%3D3%3Bfrom-tag%3D0>\r\n";
    run.both([A, P, B], &say("REFER sip:bob@10.0.0.2:5060", "one", "0", "3 REFER", to));
    run.both([B, P, A], &say("202 Accepted", "one", "0", "3 REFER", ""));
    let trying = "Content-Type: message/sipfrag\r\n\r\nSIP/2.0 100 Trying\r\n";
    run.both([B, P, A], &say("NOTIFY sip:alice@10.0.0.1", "one", "2", "1 NOTIFY", trying));
    run.both([A, P, B], &say("200 OK", "one", "2", "1 NOTIFY", ""));
    let replaces = "Replaces: two;to-tag=3;from-tag=0\r\n";
    run.invite([B, P, C], "three", 1, ("sendrecv", "sendrecv"), replaces);
    run.both([C, P, A], &say("BYE sip:alice@10.0.0.1", "two", "3", "1 BYE", ""));
    run.both([A, P, C], &say("200 OK", "two", "3", "1 BYE", ""));
    run.both([A, P, B], &say("BYE sip:bob@10.0.0.2", "one", "0", "4 BYE", ""));
    run.both([B, P, A], &say("200 OK", "one", "0", "4 BYE", ""));
    run.0
}

/// Nothing that a peer may send breaks the picture.
fn hostile() -> Chart {
    let mut chart = Chart::new([
        "<script>alert(1)</script> \"&'",
        "p",
        "B]]>&amp; \u{1}",
        "漢字の長い名前のとても長い電話 x",
    ])
    .titled("</svg> & a title that goes on and on");
    let long = format!("INVITE sip:{}@example.com", "x&<>\"'".repeat(300));
    chart.add(0, 0, 1, &say(&long, "a", "1", "1 INVITE", "\r\n\u{0}\u{1b}[31m]]>--><"), false);
    chart.add(1, 1, 0, b"SIP/2.0 200 \xff\xfe\x00 <b>&nbsp;\r\nCSeq: 1 <\">&\r\n\r\n", false);
    chart.add(2, 3, 0, b"\x00\x01binary", true);
    chart.add(3, 3, 3, &say("OPTIONS sip:\u{ffff}", "b", "1", "1 OPTIONS", ""), false);
    chart.add(9_999_999_999, 0, 77, &say("1e9 x", "c", "1", "9 INVITE", ""), false);
    let to = "Refer-To: <sip:\"<&>@x?Replaces=1>\r\n";
    chart.add(
        10_000_000_000,
        0,
        1,
        &say("REFER sip:x", "c", "1", "10 REFER", &to.repeat(9)),
        false,
    );
    chart.with_whole_messages()
}

fn draw(name: &str, chart: &Chart) -> String {
    let svg = svg::draw(chart);
    std::fs::write(format!("{}/{name}.svg", env!("CARGO_TARGET_TMPDIR")), &svg).unwrap();
    svg
}

#[test]
fn remarks_say_what_the_messages_mean() {
    let chart = transfer();
    let marks = chart.marks();
    let texts: Vec<&str> =
        marks.iter().map(|m| m.text.as_str()).filter(|t| !t.is_empty()).collect();
    assert_eq!(
        texts,
        [
            "call 1: media A ⇄ B",
            "call 1: A holds B: media A → B only",
            "call 2: media A ⇄ C",
            "A transfers B to sip:carol@example.com, in place of its own call",
            "in place of call 2",
            "call 3: media B ⇄ C",
        ]
    );
    let ended: Vec<_> = marks
        .iter()
        .filter_map(|m| if let Kind::End { call } = m.kind { Some((call, m.ends)) } else { None })
        .collect();
    assert_eq!(ended, [(1, (A, C)), (0, (A, B))]);
}

/// The box of a text, by what the widest of the usual fonts takes.
fn text_box(node: roxmltree::Node<'_, '_>) -> [f64; 4] {
    let number = |name| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let (x, y, size) = (number("x"), number("y"), number("font-size"));
    let wide = |c: char| if c < '\u{2e80}' { 0.605 } else { 1.21 };
    let count = |n: roxmltree::Node<'_, '_>| n.text().unwrap_or("").chars().map(wide).sum::<f64>();
    let all: Vec<_> = node.descendants().filter(roxmltree::Node::is_text).collect();
    let gaps = node.children().filter(|c| c.has_attribute("dx")).count();
    let width = all.into_iter().map(count).sum::<f64>() * size + gaps as f64 * 7.0;
    let left = match node.attribute("text-anchor").unwrap() {
        "start" => x,
        "middle" => x - width / 2.0,
        _ => x - width,
    };
    [left, y - 0.8 * size, left + width, y + 0.2 * size]
}

fn check_texts(svg: &str) {
    let document = roxmltree::Document::parse(svg).unwrap();
    let root = document.root_element();
    let size = |name| root.attribute(name).unwrap().parse::<f64>().unwrap();
    let (width, height) = (size("width"), size("height"));
    let texts: Vec<_> = root
        .descendants()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "text")))
        .map(|n| (n, text_box(n)))
        .collect();
    assert!(texts.len() > 3);
    for (i, (one, a)) in texts.iter().enumerate() {
        let inside = a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= width && a[3] <= height;
        assert!(inside, "{a:?} {:?}", one.descendants().next_back());
        for (other, b) in &texts[..i] {
            let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
            assert!(
                apart,
                "{:?} over {:?}",
                one.descendants().next_back(),
                other.descendants().next_back()
            );
        }
    }
}

#[test]
fn texts_lie_apart_and_inside() {
    check_texts(&draw("transfer", &transfer()));
    check_texts(&draw("hostile", &hostile()));
    let mut lone = Chart::new(["all alone, and with a long name"]);
    lone.add(0, 0, 0, &say("OPTIONS sip:me", "a", "1", "1 OPTIONS", &sdp("inactive")), true);
    let mut many = Chart::new(["a", "b", "c", "d", "e", "f"]).titled("six");
    for (n, from) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))).enumerate() {
        let bytes =
            say("INVITE sip:somebody@example.com;x=y", "a", "1", "1 INVITE", &sdp("sendonly"));
        many.add(n as u64 * 700, from.0, from.1, &bytes, n % 3 == 0);
    }
    check_texts(&draw("lone", &lone));
    check_texts(&draw("many", &many));
}

/// What a picture says to a reader of XML is what was sent, but for what XML cannot say.
#[test]
fn what_a_peer_sends_is_text_and_never_markup() {
    let chart = hostile();
    let svg = draw("hostile", &chart);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let allowed = ["svg", "title", "style", "rect", "path", "g", "text", "tspan"];
    let names = document.descendants().filter(roxmltree::Node::is_element);
    assert!(names.map(|n| n.tag_name().name()).all(|n| allowed.contains(&n)));
    let tips: Vec<&str> = document
        .descendants()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "g")) && n.has_attribute("id"))
        .map(|n| n.first_element_child().unwrap().text().unwrap_or(""))
        .collect();
    assert_eq!(tips.len(), chart.entries().len());
    assert!(
        tips[0].starts_with(&format!("INVITE sip:{}@example.com SIP/2.0\n", "x&<>\"'".repeat(300)))
    );
    assert!(tips[0].ends_with("\u{fffd}\u{fffd}[31m]]>--><"));
    assert!(svg.contains("&lt;script&gt;"));
}

/// The colours of one scheme by the selector that has them.
fn colours(css: &str) -> Vec<(String, String)> {
    let rules = css.split('}').filter_map(|rule| rule.split_once('{'));
    rules
        .flat_map(|(selector, body)| {
            let is_colour = |p: &&str| p.contains(":#");
            let of = |p: &str| p.split_once(':').unwrap().1.to_string();
            let all: Vec<_> = body.split(';').filter(is_colour).map(of).collect();
            all.into_iter().map(|c| (selector.trim().to_string(), c)).collect::<Vec<_>>()
        })
        .collect()
}

fn luminance(colour: &str) -> f64 {
    let part = |at: usize| {
        let c = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

// WCAG 2.1 1.4.3: 4.5 to 1 for text.
#[test]
fn text_is_legible_in_light_and_in_dark() {
    let svg = svg::draw(&transfer());
    let (light, dark) = svg.split_once("@media (prefers-color-scheme: dark){").unwrap();
    for css in [light, dark] {
        let all = colours(css.split("<style>").last().unwrap());
        let one = |name: &str| &all.iter().find(|(s, _)| s == name).unwrap().1;
        let paper = one(".paper");
        let texts: Vec<_> = all
            .iter()
            .filter(|(s, _)| s.contains(".what") || s.contains(".name") || s.contains(".dim"))
            .collect();
        assert_eq!(texts.len(), 18);
        for (selector, colour) in texts {
            assert!(contrast(colour, paper) >= 4.5, "{selector} {}", contrast(colour, paper));
        }
        assert!(contrast(one(".title,.name,.said"), one(".pill.turn")) >= 4.5);
        assert!(contrast(one(".dim,.wait,.about"), one(".head")) >= 4.2);
    }
}

#[test]
fn transactions_and_calls_have_their_colours_and_repetitions_are_dashed() {
    let chart = transfer();
    let svg = svg::draw(&chart);
    let document = roxmltree::Document::parse(&svg).unwrap();
    let class = |at: usize| {
        let id = format!("m{}", at + 1);
        let node = document.descendants().find(|n| n.attribute("id") == Some(&*id)).unwrap();
        node.attribute("class").unwrap().to_string()
    };
    for (i, a) in chart.entries().iter().enumerate() {
        assert_eq!(class(i).ends_with(" again"), a.again);
        for (j, b) in chart.entries().iter().enumerate().filter(|(_, b)| b.call == a.call) {
            let cseq = |e: &sansip_sim::chart::Entry| e.message.as_ref().unwrap().cseq().0;
            let same = class(i)[..3] == class(j)[..3];
            if a.transaction == b.transaction {
                assert!(same && cseq(a) == cseq(b));
            }
        }
    }
    let first = |call: usize| {
        let at = chart.entries().iter().position(|e| e.call == call).unwrap();
        class(at)[..3].to_string()
    };
    assert_ne!(first(0), first(1));
    assert_ne!(first(1), first(2));
}
