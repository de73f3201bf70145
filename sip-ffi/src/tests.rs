//! What only Rust can see: a panic inside, and the allocator.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use crate::abi::{
    SansipAddr, SansipCall, SansipFlow, SansipLine, SansipPath, SansipQuery, SansipStr,
};
use crate::answer::sansip_answer_media;
use crate::arena::count;
use crate::code::SANSIP_E_PANIC;
use crate::config::{
    SansipConfig, SansipLimits, sansip_config_init, sansip_footprint, sansip_limits_tiny,
};
use crate::engine::{
    SansipEngine, SansipLocal, sansip_free, sansip_handle_timeout, sansip_is_quiescent, sansip_new,
    sansip_next_timeout, sansip_poll, sansip_receive, sansip_set_local,
};
use crate::guard::with_engine;
use crate::media::{SansipCodec, SansipMedia, SansipStream};
use crate::output::{
    SANSIP_EV_CALL_INCOMING, SANSIP_EVENT, SANSIP_MEDIA, SANSIP_Q_MEDIA, SANSIP_QUERY,
    SANSIP_TRANSMIT,
};
use crate::verb::{
    SansipLineConfig, sansip_answer_call, sansip_hangup, sansip_invite, sansip_line_add,
};

fn text(s: &str) -> SansipStr {
    SansipStr { p: s.as_ptr().cast(), n: s.len() }
}

fn address(n: u8) -> SansipAddr {
    let mut addr = SansipAddr { port: 5060, family: 4, ..SansipAddr::NONE };
    addr.ip[0] = 10;
    addr.ip[3] = n;
    addr
}

fn engine(n: u8, memory: Option<&mut Vec<u8>>) -> (*mut SansipEngine, SansipLine) {
    // SAFETY: every pointer is to a local of the right type; an integer struct may be all zeros.
    unsafe {
        let mut config: SansipConfig = std::mem::zeroed();
        config.size = size_of::<SansipConfig>() as u32;
        assert_eq!(sansip_config_init(&mut config), 0);
        config.seed = [n; 32];
        let mut limits: SansipLimits = std::mem::zeroed();
        limits.size = size_of::<SansipLimits>() as u32;
        assert_eq!(sansip_limits_tiny(&mut limits), 0);
        let (at, len) = memory.map_or((null_mut(), 0), |m| {
            m.resize(sansip_footprint(&limits), 0);
            (m.as_mut_ptr().cast::<c_void>(), m.len())
        });
        let mut engine = null_mut();
        assert_eq!(sansip_new(&config, &limits, at, len, &mut engine), 0);
        let host = format!("10.0.0.{n}");
        let mut local: SansipLocal = std::mem::zeroed();
        local.size = size_of::<SansipLocal>() as u32;
        local.transport = 1;
        local.bound = address(n);
        local.host = text(&host);
        assert_eq!(sansip_set_local(engine, 0, 1, &local), 0);
        let aor = format!("sip:{n}@10.0.0.{n}");
        let mut config: SansipLineConfig = std::mem::zeroed();
        config.size = size_of::<SansipLineConfig>() as u32;
        config.aor = text(&aor);
        let mut line = SansipLine { v: 0 };
        assert_eq!(sansip_line_add(engine, 0, &config, &mut line), 0);
        (engine, line)
    }
}

#[test]
fn an_engine_refuses_every_call_after_a_panic() {
    let (engine, line) = engine(1, None);
    // SAFETY: `engine` is one, and freed once.
    unsafe {
        assert_eq!(sansip_handle_timeout(engine, 1), 0);
        assert_eq!(with_engine(engine, |_| panic!("on purpose")), SANSIP_E_PANIC);
        assert_eq!(sansip_handle_timeout(engine, 1), SANSIP_E_PANIC);
        assert_eq!(sansip_is_quiescent(engine), SANSIP_E_PANIC);
        let mut call = SansipCall { v: 0 };
        let target = text("sip:b@10.0.0.2");
        assert_eq!(sansip_invite(engine, 1, line, target, 0, null(), &mut call), SANSIP_E_PANIC);
        assert!(sansip_poll(engine).is_null());
        sansip_free(engine);
    }
}

/// Answers a question for media with one stream.
///
/// # Safety
/// `engine` is one.
unsafe fn give_media(engine: *mut SansipEngine, now: u64, n: u8, query: SansipQuery) {
    // SAFETY: integer structs may be all zeros; what is pointed to lives until the call is over.
    unsafe {
        let mut codec: SansipCodec = std::mem::zeroed();
        (codec.name, codec.clock) = (text("PCMU"), 8_000);
        let mut stream: SansipStream = std::mem::zeroed();
        stream.size = size_of::<SansipStream>() as u32;
        (stream.port, stream.codecs, stream.n_codecs) = (4_000, &codec, 1);
        let mut media: SansipMedia = std::mem::zeroed();
        media.size = size_of::<SansipMedia>() as u32;
        (media.address, media.streams, media.n_streams) = (address(n), &stream, 1);
        assert_eq!(sansip_answer_media(engine, now, query, &media), 0);
    }
}

/// Polls both engines until nothing is left; answers what comes in, and what is asked. How often a
/// session was agreed on.
///
/// # Safety
/// Both are engines.
unsafe fn settle(engines: [*mut SansipEngine; 2], now: u64) -> usize {
    let mut agreed = 0;
    for (from, engine) in engines.into_iter().enumerate().cycle().take(40) {
        // SAFETY: what is lent is read before the next poll; the union is read by its kind.
        unsafe {
            while let Some(output) = sansip_poll(engine).as_ref() {
                if output.kind == SANSIP_TRANSMIT {
                    let t = output.u.transmit;
                    let path = SansipPath {
                        remote: address(from as u8 + 1),
                        flow: SansipFlow { v: 0 },
                        local: 1,
                        reserved: 0,
                    };
                    assert!(sansip_receive(engines[1 - from], now, &path, t.p.cast(), t.n) >= 0);
                } else if output.kind == SANSIP_EVENT
                    && output.u.event.kind == SANSIP_EV_CALL_INCOMING
                {
                    assert_eq!(sansip_answer_call(engine, now, output.u.event.call, null()), 0);
                } else if output.kind == SANSIP_QUERY {
                    assert_eq!(output.u.query.kind, SANSIP_Q_MEDIA);
                    give_media(engine, now, from as u8 + 1, output.u.query.id);
                } else if output.kind == SANSIP_MEDIA {
                    let streams = output.u.media.streams;
                    assert_eq!((output.u.media.n_streams, (*streams).n_codecs), (1, 1));
                    agreed += 1;
                }
            }
        }
    }
    agreed
}

#[test]
fn a_call_in_the_callers_memory_takes_no_other() {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let (a, line) = engine(1, Some(&mut one));
    let (b, _) = engine(2, Some(&mut two));
    let taken = count::of(|| {
        // SAFETY: both are engines; they are freed once and not used again.
        unsafe {
            let mut call = SansipCall { v: 0 };
            let target = text("sip:2@10.0.0.2");
            assert_eq!(sansip_invite(a, 0, line, target, 0, null(), &mut call), 0);
            assert_eq!(settle([a, b], 0), 2);
            assert_eq!(sansip_hangup(a, 5_000, call), 0);
            settle([a, b], 5_000);
            for engine in [a, b] {
                let mut at = 0;
                while sansip_is_quiescent(engine) == 0 {
                    assert_eq!(sansip_next_timeout(engine, &mut at), 0);
                    assert_eq!(sansip_handle_timeout(engine, at), 0);
                    settle([a, b], at);
                }
            }
            sansip_free(a);
            sansip_free(b);
        }
    });
    assert_eq!(taken, 0);
}
