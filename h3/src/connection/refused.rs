//! `Refused`: a connection for which there is no room.

use tokio_quiche::{
    ApplicationOverQuic, QuicResult,
    quic::{HandshakeInfo, QuicheConnection},
    quiche::WireErrorCode,
};

/// It is told so as soon as it can be told something.
pub(crate) struct Refused;

impl ApplicationOverQuic for Refused {
    fn on_conn_established(
        &mut self,
        quic: &mut QuicheConnection,
        _: &HandshakeInfo,
    ) -> QuicResult<()> {
        let _ = quic.close(false, WireErrorCode::ConnectionRefused as u64, b"");
        Ok(())
    }

    fn should_act(&self) -> bool {
        false
    }

    async fn wait_for_data(&mut self, _: &mut QuicheConnection) -> QuicResult<()> {
        std::future::pending().await
    }

    fn process_reads(&mut self, _: &mut QuicheConnection) -> QuicResult<()> {
        Ok(())
    }

    fn process_writes(&mut self, _: &mut QuicheConnection) -> QuicResult<()> {
        Ok(())
    }
}
