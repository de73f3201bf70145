//! The clock: due timers and deferred work, one row at a time while there is room.

use super::{Core, need};
use crate::attempt;
use crate::error::Error;
use crate::flow;
use crate::path::FlowId;
use crate::store::queries::QueryId;
use crate::store::timers::{TimerKey, kind};
use crate::tx::FromTimer;
use crate::ua;

impl Core {
    /// Works off what is due. What finds no room stays due now.
    pub(super) fn work(&mut self) -> Result<(), Error> {
        while self.cx.out.room() >= need::TIMER {
            let Some((_, key)) = self.cx.timers.due(self.cx.now) else { break };
            self.fire(key)?;
        }
        Ok(())
    }

    fn fire(&mut self, key: TimerKey) -> Result<(), Error> {
        match key.kind {
            k if (kind::TX..kind::FLOW).contains(&k) => {
                let from = self.tx.on_timer(&mut self.cx, key);
                self.pass_failure(from)
            }
            flow::TIMER_PARTIAL => {
                let id = FlowId(key.object);
                self.flows.partial_fired(&self.cx, id);
                self.close(id)
            }
            flow::TIMER_LOST => self.work_off(FlowId(key.object), key),
            k if (kind::ATTEMPT..kind::QUERY).contains(&k) => {
                let mut down =
                    attempt::Down { tx: &mut self.tx, flows: &mut self.flows, cx: &mut self.cx };
                let from = self.attempts.on_timer(&mut down, key);
                self.pass_attempt(from)
            }
            kind::QUERY => self.query_over(QueryId::from_raw(key.object)),
            k if (kind::CALL..kind::FORK).contains(&k) => {
                let (ua, mut low) = self.low();
                ua.on_timer(&mut low, key)
            }
            k if (kind::FORK..kind::LINE).contains(&k) => {
                let (forks, mut low) = self.fork_low();
                forks.on_timer(&mut low, key)
            }
            k if (kind::REFER..0x90).contains(&k) => {
                let (ua, mut low) = self.low();
                ua.on_refer_timer(&mut low, key)
            }
            ua::TIMER_REQUEST => {
                let (ua, mut low) = self.low();
                ua.request_unanswered(&mut low, key)
            }
            ua::TIMER_SHUTDOWN => self.shut_down_one(),
            _ => {
                let (ua, mut low) = self.low();
                ua.on_line_timer(&mut low, key)
            }
        }
    }

    /// One transaction of a lost flow, then the same timer again.
    fn work_off(&mut self, id: FlowId, key: TimerKey) -> Result<(), Error> {
        let Some(next) = self.flows.lost(id).copied() else { return Ok(()) };
        match self.tx.flow_closed(&mut self.cx, id, next) {
            Some((from, next)) => {
                if let Some(place) = self.flows.lost(id) {
                    *place = next;
                }
                self.cx.timers.arm(self.cx.now, key)?;
                if from == FromTimer::Nothing { Ok(()) } else { self.pass_failure(from) }
            }
            None => {
                self.flows.lost_done(id);
                Ok(())
            }
        }
    }
}
