//! What is wrong with a certificate. It is named and not the end, for the rest is worth a look too.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use tokio_rustls::rustls;

use super::der::is_self_issued;
use crate::text::beginning;

/// One thing that is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Expired,
    NotYetValid,
    /// It is for these names.
    WrongName(Vec<String>),
    SelfSigned,
    /// The chain ends at an authority that is not trusted.
    UnknownAuthority,
    /// The server sends less than the chain up to an authority.
    ChainIncomplete,
    Revoked,
    /// It is an authority's own, which some clients take from no server.
    OfAuthority,
    Other(String),
}

/// Notes what a browser would say of a certificate, and goes on.
///
/// Nothing secret is sent over such a connection: no cookie, no credentials.
#[derive(Debug)]
pub(crate) struct Verdict {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    problems: Mutex<Vec<Problem>>,
}

impl Verdict {
    pub(crate) fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self {
            roots,
            provider,
            problems: Mutex::default(),
        })
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let problems = self.problems.lock();
        problems.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn verify(&self, roots: Arc<RootCertStore>, chain: &Chain<'_>) -> Result<(), CertificateError> {
        // Without a root nobody issued anything.
        let unknown = || CertificateError::UnknownIssuer;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&self.provider))
                .build()
                .map_err(|_| unknown())?;
        let Chain { leaf, rest, name } = chain;
        match verifier.verify_server_cert(leaf, rest, name, &[], chain.now()) {
            Ok(_) => Ok(()),
            Err(Error::InvalidCertificate(error)) => Err(error),
            Err(error) => Err(CertificateError::Other(rustls::OtherError(Arc::new(error)))),
        }
    }

    /// Lists the problems: that of the issuer, and what would be left if it were trusted.
    fn judge(&self, chain: &Chain<'_>) -> Vec<Problem> {
        let Err(error) = self.verify(Arc::clone(&self.roots), chain) else {
            return Vec::new();
        };
        // A bad signature is what one of the same name gives that is trusted.
        let is_untrusted = [
            CertificateError::UnknownIssuer,
            CertificateError::BadSignature,
        ];
        if !is_untrusted.contains(&error) {
            let found = problem(&error);
            return match found {
                Problem::OfAuthority => self.judge_authority(chain),
                found => vec![found],
            };
        }
        let mut roots = RootCertStore::empty();
        let _ = roots.add(chain.rest.last().unwrap_or(chain.leaf).clone());
        let untrusted = if chain.rest.is_empty() {
            Problem::SelfSigned
        } else {
            Problem::UnknownAuthority
        };
        match self.verify(Arc::new(roots), chain) {
            Ok(()) => vec![untrusted],
            Err(CertificateError::UnknownIssuer) => vec![Problem::ChainIncomplete],
            Err(error) => vec![untrusted, problem(&error)],
        }
    }
}

impl Verdict {
    /// Goes on where this verifier stops, and others do not.
    ///
    /// Who issued one that is neither trusted itself nor issued by itself stays untold.
    fn judge_authority(&self, chain: &Chain<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut own = RootCertStore::empty();
        let _ = own.add(chain.leaf.clone());
        let is_trusted = own.roots.iter().any(|own| self.roots.roots.contains(own));
        if !is_trusted && is_self_issued(chain.leaf) {
            problems.push(Problem::SelfSigned);
        }
        let parsed = ParsedCertificate::try_from(chain.leaf);
        let named = parsed.and_then(|leaf| verify_server_name(&leaf, chain.name));
        if let Err(Error::InvalidCertificate(error)) = named {
            problems.push(problem(&error));
        }
        problems.push(Problem::OfAuthority);
        problems
    }
}

struct Chain<'a> {
    leaf: &'a CertificateDer<'a>,
    rest: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
}

impl Chain<'_> {
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }
}

fn problem(error: &CertificateError) -> Problem {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Problem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Problem::NotYetValid
        }
        CertificateError::NotValidForName => Problem::WrongName(Vec::new()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter();
            Problem::WrongName(names.map(|name| name_in(name)).collect())
        }
        CertificateError::Revoked => Problem::Revoked,
        // No variant of its own, and what `openssl req -x509` makes unless told otherwise.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            Problem::OfAuthority
        }
        error => Problem::Other(beginning(error.to_string().as_bytes())),
    }
}

/// Takes a name out of what says of which kind it is, as in `DnsName("a.example")`.
fn name_in(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .map_or(presented, |(_, rest)| rest);
    let inner = inner.strip_suffix(')').unwrap_or(inner);
    beginning(inner.trim_matches('"').as_bytes())
}

impl ServerCertVerifier for Verdict {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let problems = self.judge(&Chain { leaf, rest, name });
        *self.problems.lock().unwrap_or_else(PoisonError::into_inner) = problems;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
