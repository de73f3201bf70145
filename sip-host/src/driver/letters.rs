//! What the other engines of the service hand over, and what other threads want done.

use std::task::{Context, Poll};

use sansip::{FlowInfo, Instant, Path};

use super::mesh::Letter;
use super::{AGAIN, BATCH, Driver};
use crate::app::App;

impl<A: App> Driver<A> {
    /// Does what other threads want done.
    pub(super) fn take_orders(&mut self, cx: &mut Context<'_>) {
        while let Some(orders) = &mut self.orders
            && let Poll::Ready(Some(order)) = orders.poll_recv(cx)
        {
            order(self);
        }
    }

    /// Takes what the other engines hand over; whether there was anything.
    pub(super) fn take_letters(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        for _ in 0..BATCH {
            if let Some((path, bytes)) = self.parked.take() {
                self.take_handed(path, bytes, now);
            }
            // What follows waits with it, so that all stays in order.
            if self.parked.is_some() {
                return any;
            }
            let Some(letter) = self.net.seat_mut().and_then(|seat| seat.poll(cx)) else {
                return any;
            };
            any = true;
            self.take_letter(letter, now);
        }
        any
    }

    fn take_letter(&mut self, letter: Letter, now: Instant) {
        match letter {
            Letter::Message(path, bytes) => self.take_handed(path, bytes, now),
            Letter::Opened(news) => {
                let names: Vec<&str> = news.names.iter().map(String::as_str).collect();
                let info = FlowInfo {
                    local: news.local,
                    remote: news.remote,
                    transport: news.transport,
                    accepted: news.accepted,
                    names: &names,
                };
                self.tell_opened(now, news.id, info);
                self.drain_outputs(now);
            }
            Letter::Closed(id, why) => {
                self.net.news.closed.push((id, why));
                self.settle(now);
                self.drain_outputs(now);
            }
            Letter::Write(id, bytes) => self.net.write(id, &bytes),
            Letter::Close(id) => self.net.close(now.0, id),
            Letter::Lost(local, to, why) => {
                self.net.shunned.add(now.0, to.ip);
                let news = &mut self.net.news.failed;
                for udp in self.net.udp.iter_mut().filter(|udp| udp.local == local) {
                    udp.lost(now.0, to, why, news);
                }
                self.settle(now);
                self.drain_outputs(now);
            }
        }
    }

    /// A message of another engine's socket. A datagram may be lost; what came by a connection waits.
    fn take_handed(&mut self, path: Path, bytes: Vec<u8>, now: Instant) {
        if self.receive_whole(path, &bytes, now) {
            return;
        }
        if path.flow.is_none() {
            self.dropped += 1;
            return;
        }
        self.parked = Some((path, bytes));
        self.retry.get_or_insert(now.0.saturating_add(AGAIN));
    }
}
