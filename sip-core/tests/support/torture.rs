//! Our own messages for each section of RFC 4475, written from what it says of them. Lines end in
//! LF here and in CRLF in what [`message`] gives; `{name}` stands for bytes that a text cannot hold.

/// One message: its name in the RFC, and its text.
pub struct Torture {
    pub name: &'static str,
    pub text: &'static str,
}

/// The bytes of the message called `name`.
pub fn message(name: &str) -> Vec<u8> {
    let t = TORTURE.iter().find(|t| t.name == name).unwrap_or_else(|| panic!("{name}"));
    let mut bytes = t.text.replace('\n', "\r\n").into_bytes();
    for (mark, text) in [
        ("{long}", "x".repeat(250)),
        (
            "{vias}",
            (0..33).map(|i| format!("v: SIP/2.0/UDP h{i}.example;branch=z9hG4bK{i}\r\n")).collect(),
        ),
        ("{nul}", "\0".into()),
        ("{bel}", "\u{7}".into()),
        ("{del}", "\u{7f}".into()),
        ("{binary}", "\0\r \n\r\n\u{1}".into()),
    ] {
        while let Some(at) = bytes.windows(mark.len()).position(|w| w == mark.as_bytes()) {
            bytes.splice(at..at + mark.len(), text.bytes());
        }
    }
    bytes
}

pub const TORTURE: &[Torture] = &[
    // 3.1.1.1: folds, compact forms, odd case, leading zeros, white space everywhere.
    Torture {
        name: "wsinv",
        text: "INVITE sip:bob@far.example;odd SIP/2.0\nTO :\n sip:bob@far.example ;   tag    = t1\nfrom   : \"Al \\\\\\\"\"       <sip:al@near.example>\n  ;\n  tag = f1\nMaX-fOrWaRdS: 0070\nCall-ID: wsinv.1@192.0.2.1\nContent-Length   : 0\ncseq: 0007\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=old1\ns :\nNewField:   new\n value\nOdd: ;;,,;;,;\nRoute:\n <sip:r.example;lr;k=v;n>\nv:  SIP  / 2.0  / TCP     p.example   ;\n  branch  =   z9hG4bK2  ,\n SIP  /    2.0   / UDP  192.0.2.3   ; branch=\n z9hG4bK3\nm:\"A \\\"\\\"\" <sip:al@near.example> ; new =\n      value ;\n  two ; q = 0.33\n\n",
    },
    // 3.1.1.2: the whole alphabet of tokens, user parts and words.
    Torture {
        name: "intmeth",
        text: "!odd-Method0123456789_*+`.%!'~ sip:1_odd.URI~(to!)&isn't+it$/crazy?,/;;*:&it+has=1,pas$wo~d_(x)@h.example SIP/2.0\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK-.!%66*_+`'~\nTo: \"B:\\{bel} N:\\{nul} D:\\{del}\" <sip:1_odd.URI~(to!)&isn't+it$/crazy?,/;;*@h.example>\nFrom: t1~` t2'+_ t3*%!.- <sip:al@h.example>;fromParam''~+*_!.-%=\"\u{440}\u{430}\";tag=_t~1'+`*%!-.\nCall-ID: w%ZK-!.*_+'@w`~)(><:\\/\"][?}{\nCSeq: 139122385 !odd-Method0123456789_*+`.%!'~\nMax-Forwards: 255\next-!.%*+_`'~: \u{5927}\u{96fb}\nContent-Length: 0\n\n",
    },
    // 3.1.1.3: escapes in user part and parameters.
    Torture {
        name: "esc01",
        text: "INVITE sip:sips%3Abob%40far.example@near.example SIP/2.0\nTo: sip:%62o%62@far.example\nFrom: <sip:I%20have%20spaces@near.example>;tag=f\nMax-Forwards: 87\ni: esc01.1\nCSeq: 234 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContact:\n  <sip:c%61l@h.example;%6C%72;n%61me=v%61lue%25%34%31>\nContent-Length: 0\n\n",
    },
    // 3.1.1.4: escaped NULs.
    Torture {
        name: "escnull",
        text: "REGISTER sip:r.example SIP/2.0\nTo: sip:n-%00-n@r.example\nFrom: sip:n-%00-n@r.example;tag=f\nMax-Forwards: 70\nCall-ID: escnull.1\nCSeq: 1 REGISTER\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContact: <sip:%00@h.example>\nContact: <sip:%00%00@h.example>\nL:0\n\n",
    },
    // 3.1.1.5: escapes where they mean nothing.
    Torture {
        name: "esc02",
        text: "RE%47IST%45R sip:r.example SIP/2.0\nTo: \"%Z%45\" <sip:a@r.example>\nFrom: \"%Z%45\" <sip:a@r.example>;tag=f\nCall-ID: esc02.1\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK209%f\nCSeq: 2 RE%47IST%45R\nMax-Forwards: 70\nContact: <sip:a1@h.example>\nC%6Fntact: <sip:a2@h.example>\nContact: <sip:a3@h.example>\nl: 0\n\n",
    },
    // 3.1.1.6: no space before the angle bracket.
    Torture {
        name: "lwsdisp",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: al<sip:al@near.example>;tag=323\nMax-Forwards: 70\nCall-ID: lwsdisp.1\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nl: 0\n\n",
    },
    // 3.1.1.7: long values, many Via.
    Torture {
        name: "longreq",
        text: "INVITE sip:bob@far.example SIP/2.0\nTo: \"{long}\" <sip:bob@far.example:6000;unknownparam1={long};{long}=x>;{long}={long}\nF: sip:al{long}@near.example;tag=t{long};u{long}\nCall-ID: longreq.{long}\nCSeq: 3882340 INVITE\nUnknown-{long}: {long}\n{vias}Max-Forwards: 70\nContact: <sip:al{long}@h.example>\nl: 0\n\n",
    },
    // 3.1.1.8: another request behind the first, in one datagram.
    Torture {
        name: "dblreq",
        text: "REGISTER sip:r.example SIP/2.0\nTo: sip:al@r.example\nFrom: sip:al@r.example;tag=f\nMax-Forwards: 8\nI: dblreq.1\nCSeq: 8 REGISTER\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContact: sip:al@h.example\nContent-Length: 0\n\n\nINVITE sip:bob@r.example SIP/2.0\nt: sip:bob@r.example\nl: 0\n\n",
    },
    // 3.1.1.9: semicolons in the user part.
    Torture {
        name: "semiuri",
        text: "OPTIONS sip:bob;par=b%40far.example@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: semiuri.1\nCSeq: 8 OPTIONS\nAccept: application/sdp, application/pkcs7-mime,\n        multipart/mixed\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nl: 0\n\n",
    },
    // 3.1.1.10: known and unknown transports.
    Torture {
        name: "transports",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: <sip:al@near.example>;tag=f\nMax-Forwards: 70\nCall-ID: transports.1\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP t1.example;branch=z9hG4bK1\nVia: SIP/2.0/SCTP t2.example;branch=z9hG4bK2\nVia: SIP/2.0/TLS t3.example;branch=z9hG4bK3\nVia: SIP/2.0/UNKNOWN t4.example;branch=z9hG4bK4\nVia: SIP/2.0/TCP t5.example;branch=z9hG4bK5\nl: 0\n\n",
    },
    // 3.1.1.11: a binary multipart body.
    Torture {
        name: "mpart01",
        text: "MESSAGE sip:bob@far.example SIP/2.0\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nMax-Forwards: 70\nRoute: <sip:r.example;lr>\nFrom: sip:al@near.example;tag=f\nTo: sip:bob@far.example\nCall-ID: mpart01.1\nCSeq: 1 MESSAGE\nContact: <sip:al@h.example>\nContent-Type: multipart/mixed;boundary=7a9cbec02ceef655\nContent-Length: 75\n\n--7a9cbec02ceef655\nContent-Type: text/plain\n\n{binary}\n--7a9cbec02ceef655--\n",
    },
    // 3.1.1.12 and 3.1.1.13: reason phrases.
    Torture {
        name: "unreason",
        text: "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \u{43a}\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nCall-ID: unreason.1\nCSeq: 35 INVITE\nFrom: sip:al@near.example;tag=f\nTo: sip:bob@far.example;tag=t\nContact: <sip:bob@192.0.2.198>\nContent-Length: 0\n\n",
    },
    Torture {
        name: "noreason",
        text: "SIP/2.0 100 \nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nCall-ID: noreason.1\nCSeq: 35 INVITE\nFrom: sip:al@near.example;tag=f\nTo: sip:bob@far.example;tag=t\nContent-Length: 0\nContact: <sip:bob@h.example>\n\n",
    },
    // 3.1.2.1: empty parameters and values.
    Torture {
        name: "badinv01",
        text: "INVITE sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 7\nCall-ID: badinv01.1\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;\nContent-Length: 0\n\n",
    },
    // 3.1.2.2 and 3.1.2.3: Content-Length that lies.
    Torture {
        name: "clerr",
        text: "INVITE sip:bob@far.example SIP/2.0\nMax-Forwards: 80\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nContact: <sip:al@h.example>\nCall-ID: clerr.1\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK-39234-23523\nContent-Type: application/sdp\nContent-Length: 9999\n\nv=0\n",
    },
    Torture {
        name: "ncl",
        text: "INVITE sip:bob@far.example SIP/2.0\nMax-Forwards: 254\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nCall-ID: ncl.1\nCSeq: 0 INVITE\nVia: SIP/2.0/UDP 192.0.2.53;branch=z9hG4bK1\nContact: <sip:al@h.example>\nContent-Type: application/sdp\nContent-Length: -999\n\nv=0\n",
    },
    // 3.1.2.4 and 3.1.2.5: numbers that are too large.
    Torture {
        name: "scalar02",
        text: "REGISTER sip:r.example SIP/2.0\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK1\nTo: <sip:al@r.example>\nFrom: <sip:al@r.example>;tag=f\nCSeq: 36893488147419103232 REGISTER\nCall-ID: scalar02.1\nMax-Forwards: 300\nExpires: 10000000000000000000000000000000000000000000000\nContact: <sip:al@h.example>\n  ;expires=280297596632815\nContent-Length: 0\n\n",
    },
    Torture {
        name: "scalarlg",
        text: "SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK1;received=192.0.2.129\nTo: <sip:al@r.example>\nFrom: <sip:x@near.example>;tag=f\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: scalarlg.1\nRetry-After: 949302838503028349304023988\nWarning: 1812 overture \"In Progress\"\nContent-Length: 0\n\n",
    },
    // 3.1.2.6: a quote without end.
    Torture {
        name: "quotbal",
        text: "INVITE sip:bob@far.example SIP/2.0\nTo: \"Mr. Bob <sip:bob@far.example>\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 10\nCall-ID: quotbal.1\nContact: <sip:al@h.example>\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bK1\nContent-Length: 0\n\n",
    },
    // 3.1.2.7 to 3.1.2.11: start lines and request URIs.
    Torture {
        name: "ltgtruri",
        text: "INVITE <sip:bob@far.example> SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 23\nCall-ID: ltgtruri.1\nCSeq: 1 INVITE\nVia: SIP/2.0/UDP 192.0.2.5\nContact: <sip:al@h.example>\nContent-Length: 0\n\n",
    },
    Torture {
        name: "lwsruri",
        text: "INVITE sip:bob@far.example; lr SIP/2.0\nTo: sip:bob@far.example;tag=t\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 5\nCall-ID: lwsruri.1\nCSeq: 2130706432 INVITE\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\nContact: <sip:al@h.example>\nContent-Length: 0\n\n",
    },
    Torture {
        name: "lwsstart",
        text: "INVITE  sip:bob@far.example  SIP/2.0\nMax-Forwards: 8\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nCall-ID: lwsstart.1\nCSeq: 1893884 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContact: <sip:al@h.example>\nContent-Length: 0\n\n",
    },
    Torture {
        name: "trws",
        text: "OPTIONS sip:bob@far.example SIP/2.0  \nVia: SIP/2.0/TCP h.example;branch=z9hG4bK1\nTo: <sip:bob@far.example>\nFrom: <sip:al@near.example>;tag=f\nCall-ID: trws.1\nCSeq: 238923 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n",
    },
    Torture {
        name: "escruri",
        text: "INVITE sip:bob@far.example?Route=%3Csip:r.example%3E SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 7\nContact: <sip:al@h.example>\nCall-ID: escruri.1\nCSeq: 149209342 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContent-Length: 0\n\n",
    },
    // 3.1.2.12: a time zone that is not GMT.
    Torture {
        name: "baddate",
        text: "INVITE sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 23\nCall-ID: baddate.1\nCSeq: 1392934 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nDate: Fri, 01 Jan 2010 16:00:00 EST\nContact: <sip:al@h.example>\nContent-Length: 0\n\n",
    },
    // 3.1.2.13 to 3.1.2.15: names and addresses.
    Torture {
        name: "regbadct",
        text: "REGISTER sip:r.example SIP/2.0\nTo: sip:al@r.example\nFrom: sip:al@r.example;tag=f\nMax-Forwards: 70\nCall-ID: regbadct.1\nCSeq: 1 REGISTER\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\nContact: sip:al@h.example?Route=%3Csip:r.example%3E\nl: 0\n\n",
    },
    Torture {
        name: "badaspec",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nVia: SIP/2.0/UDP h.example:5060;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: \"Bell, Al\" <sip:al@near.example>;tag=f\nTo: \"Watson, Bob\" < sip:bob@far.example >\nCall-ID: badaspec.1\nCSeq: 3923239 OPTIONS\nl: 0\n\n",
    },
    Torture {
        name: "baddn",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nVia:     SIP/2.0/UDP h.example:5060;branch=z9hG4bK1\nMax-Forwards:      70\nFrom:    Bell, Al <sip:al@near.example>;tag=43\nTo:      Watson, Bob <sip:bob@far.example>\nCall-ID: baddn.1\nCSeq:    3923239 OPTIONS\nl: 0\n\n",
    },
    // 3.1.2.16: another version.
    Torture {
        name: "badvers",
        text: "OPTIONS sip:bob@far.example SIP/7.0\nVia:     SIP/7.0/UDP h.example;branch=z9hG4bK1\nMax-Forwards:     70\nFrom:    A. Bell <sip:al@near.example>;tag=f\nTo:      T. Watson <sip:bob@far.example>\nCall-ID: badvers.1\nCSeq:    1 OPTIONS\nl: 0\n\n",
    },
    // 3.1.2.17 and 3.1.2.18: another method in CSeq.
    Torture {
        name: "mismatch01",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: mismatch01.1\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nl: 0\n\n",
    },
    Torture {
        name: "mismatch02",
        text: "NEWMETHOD sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: mismatch02.1\nCSeq: 8 INVITE\nContact: <sip:al@h.example>\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nl: 0\n\n",
    },
    // 3.1.2.19: a status of ten digits.
    Torture {
        name: "bigcode",
        text: "SIP/2.0 4294967301 better not break the receiver\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nCall-ID: bigcode.1\nCSeq: 353494 INVITE\nFrom: <sip:al@near.example>;tag=f\nTo: <sip:bob@far.example>;tag=t\nContent-Length: 0\nContact: <sip:bob@h.example>\n\n",
    },
    // 3.2.1: a branch that is nothing but the cookie.
    Torture {
        name: "badbranch",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\nCall-ID: badbranch.1\nCSeq: 8 OPTIONS\nl: 0\n\n",
    },
    // 3.3.1: no From, To, Call-ID.
    Torture {
        name: "insuf",
        text: "INVITE sip:bob@far.example SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bK1\nContent-Type: application/sdp\nl: 5\n\nv=0\n",
    },
    // 3.3.2 to 3.3.4: schemes.
    Torture {
        name: "unkscm",
        text: "OPTIONS nobodyKnowsThisScheme:opaque SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: unkscm.1\nCSeq: 3923423 OPTIONS\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK1\nContent-Length: 0\n\n",
    },
    Torture {
        name: "novelsc",
        text: "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: novelsc.1\nCSeq: 3923423 OPTIONS\nVia: SIP/2.0/TCP h.example;branch=z9hG4bK1\nContent-Length: 0\n\n",
    },
    Torture {
        name: "unksm2",
        text: "REGISTER sip:r.example SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=f\nCall-ID: unksm2.1\nCSeq: 234902 REGISTER\nMax-Forwards: 70\nVia: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bK1\nContact: <name:John_Smith>\nl: 0\n\n",
    },
    // 3.3.5 to 3.3.7: what other layers refuse.
    Torture {
        name: "bext01",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 3\nCall-ID: bext01.1\nCSeq: 8 OPTIONS\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nRequire: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\nContent-Length: 0\n\n",
    },
    Torture {
        name: "invut",
        text: "INVITE sip:bob@far.example SIP/2.0\nContact: <sip:al@h.example>\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 5\nCall-ID: invut.1\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nContent-Type: application/unknownformat\nContent-Length: 5\n\n<a/>\n",
    },
    Torture {
        name: "regaut01",
        text: "REGISTER sip:r.example SIP/2.0\nTo: sip:al@r.example\nFrom: sip:al@r.example;tag=f\nMax-Forwards: 8\nCall-ID: regaut01.1\nCSeq: 8 REGISTER\nVia: SIP/2.0/TCP 192.0.2.253;branch=z9hG4bK1\nContact: <sip:al@h.example>\nAuthorization: NoOneKnowsThisScheme opaque-data=here\nContent-Length:0\n\n",
    },
    // 3.3.8 and 3.3.9: fields that may appear once.
    Torture {
        name: "multi01",
        text: "INVITE sip:bob@far.example SIP/2.0\nContact: <sip:al@h.example>\nVia: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bK1\nMax-Forwards: 70\nCSeq: 5 INVITE\nCall-ID: multi01.1\nCSeq: 59 INVITE\nCall-ID: multi01.2\nFrom: sip:al@near.example;tag=f1\nTo: sip:bob@far.example\nTo: sip:x@far.example\nFrom: sip:al@near.example;tag=f2\nl: 0\nContact: <sip:al@h2.example>\nMax-Forwards: 5\n\n",
    },
    Torture {
        name: "mcl01",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nCall-ID: mcl01.1\nCSeq: 15932 OPTIONS\nContent-Length: 13\nMax-Forwards: 60\nContent-Length: 5\nContent-Type: text/plain\n\nHow long am I?\n",
    },
    // 3.3.10: a Via that leads to everybody.
    Torture {
        name: "bcast",
        text: "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK2\nCall-ID: bcast.1\nCSeq: 35 INVITE\nFrom: sip:al@near.example;tag=f\nTo: sip:bob@far.example;tag=t\nContent-Length: 0\nContact: <sip:bob@h.example>\n\n",
    },
    // 3.3.11 to 3.3.15.
    Torture {
        name: "zeromf",
        text: "OPTIONS sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nFrom: sip:al@near.example;tag=f\nCall-ID: zeromf.1\nCSeq: 39234321 OPTIONS\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nMax-Forwards: 0\nContent-Length: 0\n\n",
    },
    Torture {
        name: "cparam01",
        text: "REGISTER sip:r.example SIP/2.0\nVia: SIP/2.0/UDP h.example:5060;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: sip:al@r.example;tag=f\nTo: sip:al@r.example\nCall-ID: cparam01.1\nCSeq: 2 REGISTER\nContact: sip:+19725552222@h.example;unknownparam\nl: 0\n\n",
    },
    Torture {
        name: "cparam02",
        text: "REGISTER sip:r.example SIP/2.0\nVia: SIP/2.0/UDP h.example:5060;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: sip:al@r.example;tag=f\nTo: sip:al@r.example\nCall-ID: cparam02.1\nCSeq: 3 REGISTER\nContact: <sip:+19725552222@h.example;unknownparam>\nl: 0\n\n",
    },
    Torture {
        name: "regescrt",
        text: "REGISTER sip:r.example SIP/2.0\nTo: sip:al@r.example\nFrom: sip:al@r.example;tag=f\nMax-Forwards: 70\nCall-ID: regescrt.1\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP h.example;branch=z9hG4bK1\nM: <sip:al@h.example?Route=%3Csip:r.example%3E>\nL:0\n\n",
    },
    Torture {
        name: "sdp01",
        text: "INVITE sip:bob@far.example SIP/2.0\nTo: sip:bob@far.example\nContact: <sip:al@h.example>\nFrom: sip:al@near.example;tag=f\nMax-Forwards: 5\nCall-ID: sdp01.1\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bK1\nContent-Length: 5\nContent-Type: application/sdp\nAccept: text/nobodyKnowsThis\n\nv=0\n",
    },
    // 3.4.1: a caller of RFC 2543.
    Torture {
        name: "inv2543",
        text: "INVITE sip:bob@far.example SIP/2.0\nVia: SIP/2.0/UDP h.example\nFrom: <sip:+13035551111@near.example;user=phone>\nRecord-Route: <sip:bob@far.example;maddr=p.example>\nTo: sip:+16505552222@far.example;user=phone\nCall-ID: inv2543.1\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\nv=0\n",
    },
];
