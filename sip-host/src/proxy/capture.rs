//! Every message that comes or goes, in a file that packet analysers open.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use sansip::Transport;
use sansip_sim::pcap::Writer;

use crate::driver::{Direction, Tap, Tapped};
use crate::listen::outward;

/// What was captured is in the file after at most so long, as long as more comes.
const FLUSH: Duration = Duration::from_secs(1);

struct Open {
    /// `None` once it could not be written.
    writer: Option<Writer<BufWriter<File>>>,
    flushed: Instant,
}

/// A capture, which all engines write.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Open>>);

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capture")
    }
}

impl Capture {
    /// Begins a file, in place of what it held.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let writer = Writer::new(BufWriter::new(File::create(path)?))?;
        let open = Open { writer: Some(writer), flushed: Instant::now() };
        Ok(Self(Arc::new(Mutex::new(open))))
    }

    /// What shows it the messages of an engine that listens at these addresses.
    pub fn tap(&self, addresses: &[(Transport, SocketAddr)]) -> Tap {
        let this = self.clone();
        let told = |a: &SocketAddr| SocketAddr::new(outward(a.ip()), a.port());
        let places: Vec<_> = addresses.iter().map(|(t, a)| (*t, told(a))).collect();
        Box::new(move |tapped| {
            // An alias stands behind the places, for the one of its number.
            let at = usize::from(tapped.path.local.0).checked_rem(places.len());
            if let Some((transport, own)) = at.and_then(|at| places.get(at)) {
                this.write(*transport, *own, tapped);
            }
        })
    }

    fn write(&self, transport: Transport, own: SocketAddr, tapped: &Tapped<'_>) {
        let now = UNIX_EPOCH.elapsed().map_or(0, |t| u64::try_from(t.as_micros()).unwrap_or(0));
        let peer = tapped.path.remote.to_socket();
        let (from, to) = match tapped.direction {
            Direction::In => (peer, own),
            Direction::Out { .. } => (own, peer),
        };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = open.flushed.elapsed() >= FLUSH;
        let Some(writer) = &mut open.writer else { return };
        let mut written = match transport {
            Transport::Udp => writer.udp(now, from, to, tapped.bytes),
            _ => writer.stream(now, from, to, tapped.bytes),
        };
        if due {
            written = written.and_then(|()| writer.flush());
            open.flushed = Instant::now();
        }
        if let Err(why) = written {
            tracing::error!(%why, "the capture ends: it could not be written");
            open.writer = None;
        }
    }
}
