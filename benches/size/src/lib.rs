//! The roots that keep what a firmware uses alive through section collection.
#![no_std]

extern crate alloc;

use alloc::alloc::{GlobalAlloc, Layout};

unsafe extern "Rust" {
    /// The board's memory.
    fn board_take(size: usize, align: usize) -> *mut u8;
    /// What the board does with results; it looks at all of them.
    safe fn board_sees(what: &dyn core::any::Any);
}

struct Board;

// SAFETY: the board's promise.
unsafe impl GlobalAlloc for Board {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the board's promise.
        unsafe { board_take(layout.size(), layout.align()) }
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Board = Board;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Parser: index, typed values of routing, framing, an answer, a forwarded copy.
#[cfg(feature = "parser")]
pub mod parser {
    use super::board_sees;
    use sansip::header::Essentials;
    use sansip::wire::{
        Edit, Framer, Framing, Index, ResponseParts, Role, WireLimits, edit, judge, parse, response,
    };

    /// All of it.
    #[unsafe(no_mangle)]
    pub fn root_parser(
        bytes: &[u8],
        limits: &WireLimits,
        framer: &mut Framer,
        index: &mut Index,
        out: &mut [u8],
        edits: &[Edit<'_>],
        parts: &ResponseParts<'_>,
    ) {
        board_sees(&(framer.scan(bytes) == sansip::wire::Frame::NeedMore));
        let Ok(m) = parse(bytes, limits, Framing::Stream, index) else { return };
        let e = Essentials::of(&m);
        board_sees(&judge(Role::UserAgent, &m, &e));
        board_sees(&response(out, &m, 400, None, parts).is_ok());
        board_sees(&edit::apply(bytes, edits, out).is_ok());
    }
}

/// The transaction layer alone.
#[cfg(feature = "transactions")]
pub mod transactions {
    use super::board_sees;
    use sansip::tx::alone::TransactionLayer;
    use sansip::tx::{Reply, TxHandle};
    use sansip::{Config, FlowId, Instant, Limits, Local, LocalId, Path};

    /// A new layer.
    #[unsafe(no_mangle)]
    pub fn root_layer(config: Config, limits: &Limits, to: &mut Option<TransactionLayer>) {
        *to = TransactionLayer::new(config, limits).ok();
    }

    /// Every input and the outputs.
    #[unsafe(no_mangle)]
    pub fn root_transactions(
        layer: &mut TransactionLayer,
        now: Instant,
        path: &Path,
        bytes: &[u8],
        tx: TxHandle,
        local: &Local<'_>,
        reply: &Reply<'_>,
    ) {
        board_sees(&layer.set_local(LocalId(1), local).is_ok());
        board_sees(&layer.receive(now, path, bytes).is_ok());
        board_sees(&layer.send_request(now, path, bytes).is_ok());
        board_sees(&layer.send(now, path, bytes).is_ok());
        board_sees(&layer.cancel(now, tx).is_ok());
        board_sees(&layer.reply(now, tx, 200, reply).is_ok());
        board_sees(&layer.respond(now, tx, bytes).is_ok());
        board_sees(&layer.send_failed(now, tx).is_ok());
        board_sees(&layer.flow_closed(now, FlowId(1)).is_ok());
        board_sees(&layer.handle_timeout(now).is_ok());
        board_sees(&layer.next_timeout());
        while let Some(output) = layer.poll() {
            if let sansip::tx::alone::Output::Transmit(t) = output {
                board_sees(&t.bytes.len());
            }
        }
    }
}

/// The engine as a phone: parser, transactions, dialogs, user agent, flows.
#[cfg(feature = "phone")]
pub mod phone {
    use super::board_sees;
    use sansip::{Config, Engine, Input, Instant, Limits, Output, RequestHandle};

    /// A new engine.
    #[unsafe(no_mangle)]
    pub fn root_engine(config: Config, limits: &Limits, to: &mut Option<Engine>) {
        *to = Engine::new(config, limits).ok();
    }

    /// Every input, for [`Input`] has them all, and the outputs.
    #[unsafe(no_mangle)]
    pub fn root_phone(
        engine: &mut Engine,
        now: Instant,
        input: &Input<'_>,
        request: RequestHandle,
    ) {
        board_sees(&engine.apply(now, input).is_ok());
        board_sees(&engine.next_timeout());
        board_sees(&engine.stats().calls);
        board_sees(&engine.message(request).map(|m| m.body().len()));
        while let Some(output) = engine.poll() {
            match output {
                Output::Transmit(t) => board_sees(&t.bytes.len()),
                Output::Event(event, m) => {
                    board_sees(&event);
                    board_sees(&m.map(|m| m.fields().count()));
                }
                Output::Query(id, query) => {
                    board_sees(&id);
                    board_sees(&matches!(query, sansip::Query::Dns { .. }));
                }
                _ => {}
            }
        }
    }
}
