//! The session descriptions that the phone offers.

use sansip::Extras;

/// A session description of one audio stream (RFC 8866, payload types of RFC 3551).
#[must_use]
pub fn describe(host: &str, port: u16) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let family = if bare.contains(':') { "IP6" } else { "IP4" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {bare}\r\ns=-\r\nc=IN {family} {bare}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    )
}

/// A message's body with this session description.
#[must_use]
pub fn extras(sdp: &str) -> Extras<'_> {
    Extras { content_type: "application/sdp", body: sdp.as_bytes(), ..Extras::default() }
}
