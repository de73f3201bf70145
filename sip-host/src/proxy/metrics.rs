//! Counts for Prometheus, at `/metrics` of an address of its own.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::service::{Counts, Engines};

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows the counts of these engines until the runtime ends; the address that it got.
///
/// # Errors
/// What the system says.
pub async fn serve(address: SocketAddr, engines: Engines) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            // One that fails (too many open files) is tried again a little later.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let engines = engines.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| respond(request, engines.clone()));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), service);
                if let Err(why) = connection.await {
                    tracing::debug!(%why, "a request for metrics has failed");
                }
            });
        }
    });
    Ok(bound)
}

async fn respond(
    request: Request<Incoming>,
    engines: Engines,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if request.method() != Method::GET {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    } else {
        let text = text(engines.counts().await);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
        *response.body_mut() = Full::from(text);
    }
    Ok(response)
}

/// The counts as Prometheus reads them.
#[must_use]
pub fn text(counts: Counts) -> String {
    let mut registry = Registry::with_prefix("sansip");
    registry.register_collector(Box::new(counts));
    let mut out = String::new();
    // A string takes all that is written to it.
    let _ = encode(&mut out, &registry);
    out
}

impl Collector for Counts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let s = &self.stats;
        let live = [
            ("transactions", "Live transactions", s.transactions),
            ("requests", "Requests at work: response contexts and REGISTERs", s.forks),
            ("branches", "Branches on their way", s.attempts),
            ("connections", "Open connections", s.flows),
            ("queries", "Questions that wait for an answer", s.queries),
            ("timers", "Armed timers", s.timers),
            ("pool_bytes", "Bytes held for messages", s.pool_bytes),
            ("registered", "Addresses of record with a binding in memory", self.registered),
            ("calls", "Calls that stand and whose end is to pass here", self.standing),
            ("engines", "Engines that run", self.engines),
        ];
        for (name, help, count) in live {
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        let totals = [
            ("received", "Messages received", s.received),
            ("ignored", "Of those, ignored", s.ignored),
            ("refused_full", "Requests refused with 503 because a table was full", s.refused_full),
            ("dropped", "Messages that found no room", self.dropped),
            ("store_failures", "Questions that Redis did not answer", self.store_failures),
        ];
        for (name, help, count) in totals {
            let counter = ConstCounter::new(count);
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_with_their_kind() {
        let mut counts = Counts { engines: 2, dropped: 7, ..Counts::default() };
        counts.stats.transactions = 3;
        let text = text(counts);
        assert!(
            text.contains("# TYPE sansip_transactions gauge\nsansip_transactions 3\n"),
            "{text}"
        );
        assert!(text.contains("# TYPE sansip_dropped counter\nsansip_dropped_total 7\n"), "{text}");
        assert!(text.contains("sansip_engines 2\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
