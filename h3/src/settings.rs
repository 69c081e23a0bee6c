//! What a server lets a client do.

use std::time::Duration;

use tokio_quiche::{quiche::h3, settings::QuicSettings};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) max_header_size: usize,
    pub(crate) max_requests: u32,
    pub(crate) max_requests_in_all: u64,
    pub(crate) max_connections: usize,
    pub(crate) stream_window: u32,
    pub(crate) idle_timeout: Duration,
    pub(crate) lost_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_header_size: 16 << 10,
            max_requests: 100,
            max_requests_in_all: 10_000,
            max_connections: 10_000,
            stream_window: 128 << 10,
            idle_timeout: Duration::from_secs(60),
            lost_after: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// As QUIC has them.
    pub(crate) fn quic(&self) -> QuicSettings {
        let mut quic = QuicSettings::default();
        let (stream, requests) = (u64::from(self.stream_window), u64::from(self.max_requests));
        // No stream that is not read takes another's part.
        let all = stream
            .saturating_mul(requests + UNIDIRECTIONAL)
            .min(LARGEST);
        quic.enable_dgram = false;
        quic.initial_max_data = all;
        quic.max_connection_window = all;
        quic.initial_max_stream_data_bidi_remote = stream;
        quic.initial_max_stream_data_uni = stream;
        quic.max_stream_window = stream;
        quic.initial_max_streams_bidi = requests;
        quic.initial_max_streams_uni = UNIDIRECTIONAL;
        // A client that is gone is found out, and one that is there may be silent for as long as its
        // tunnels live.
        quic.max_idle_timeout = Some(self.lost_after.max(SHORTEST));
        quic.handshake_timeout = Some(HANDSHAKE);
        quic
    }

    /// As HTTP/3 has them.
    pub(crate) fn http(&self) -> Result<h3::Config, h3::Error> {
        let mut http = h3::Config::new()?;
        http.enable_extended_connect(true);
        // What is larger ends the connection, and what is between the two is answered.
        let most = self.max_header_size.saturating_mul(4);
        http.set_max_field_section_size(u64::try_from(most).unwrap_or(LARGEST).min(LARGEST));
        http.set_qpack_max_table_capacity(0);
        http.set_qpack_blocked_streams(0);
        Ok(http)
    }

    /// How often a connection looks after itself.
    pub(crate) fn tick(&self) -> Duration {
        let lost_after = self.lost_after.max(SHORTEST) / 3;
        lost_after.min(self.idle_timeout.max(SHORTEST))
    }
}

/// Three are the control stream and those of QPACK. The rest is for what is not known yet.
const UNIDIRECTIONAL: u64 = 8;
/// The largest number that QUIC can write (RFC 9000 16).
const LARGEST: u64 = (1 << 62) - 1;
/// How long a client may take over TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What is shorter would keep a server busy with nothing.
const SHORTEST: Duration = Duration::from_millis(100);
