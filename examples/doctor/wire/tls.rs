//! TLS: whom to trust, and the handshake.

use std::{io, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream, rustls};

use super::{Fault, Problem, verdict::Verdict, within};
use crate::{target::Target, text::printable};

/// The authorities that are trusted.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
}

impl Trust {
    /// Those of a file alone, or else those of this machine, which may have none.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let Some(file) = file else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(Self {
                roots: Arc::new(roots),
            });
        };
        let wrong = |why: String| format!("{}: {why}", file.display());
        let certificates = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let added = roots.add(certificate);
            added.map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("no certificate in it".into()));
        }
        Ok(Self {
            roots: Arc::new(roots),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

/// A TLS connection, and what is to be said of it.
pub(crate) struct Tls {
    pub(crate) io: TlsStream<TcpStream>,
    pub(crate) problems: Vec<Problem>,
}

impl Tls {
    /// Returns the protocol that was chosen, if one was.
    pub(crate) fn alpn(&self) -> Option<String> {
        self.io.get_ref().1.alpn_protocol().map(printable)
    }

    /// Returns the version.
    pub(crate) fn version(&self) -> String {
        let version = self.io.get_ref().1.protocol_version();
        let name = version.and_then(|version| version.as_str());
        name.unwrap_or("TLS").replace("TLSv1_", "TLS 1.")
    }
}

/// Speaks TLS on a connection, and offers these protocols.
pub(crate) async fn secure(
    tcp: TcpStream,
    target: &Target,
    trust: &Trust,
    alpn: &[&str],
    patience: Duration,
) -> Result<Tls, Fault> {
    let provider = Arc::new(ring::default_provider());
    let verdict = Verdict::new(Arc::clone(&trust.roots), Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Io(io::Error::other(error)))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Verdict>::clone(&verdict))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(target.host().to_owned())
        .map_err(|error| Fault::Io(io::Error::other(error)))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let io = within(patience, connecting).await?;
    Ok(Tls {
        io,
        problems: verdict.problems(),
    })
}
