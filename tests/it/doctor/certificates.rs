//! TLS: each thing that can be wrong with a certificate, and the one where nothing is.

use std::{
    env, fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::{TlsAcceptor, rustls};

use super::{
    run::{Told, doctor, doctor_with},
    server::Server,
};

/// An authority, whose certificate is in a file that goes with it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Authority {
    fn new() -> Self {
        Self::new_for(&[])
    }

    /// One that is a server's certificate as well.
    fn new_for(names: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new(
            names
                .iter()
                .copied()
                .map(Into::into)
                .collect::<Vec<String>>(),
        )
        .unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-upgrade-doctor-{}-{count}", std::process::id());
        params
            .distinguished_name
            .push(DnType::CommonName, name.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = env::temp_dir().join(name + ".pem");
        fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    fn file(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// Serves with a certificate that is changed so, and sends the authority's with it or not.
    async fn serve(&self, sent: Sent, change: impl FnOnce(&mut CertificateParams)) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let mut chain: Vec<CertificateDer<'static>> = vec![leaf.into()];
        if sent == Sent::WithAuthority {
            chain.push(self.issuer.der().clone());
        }
        Server::honest_over(acceptor(chain, &key, &["http/1.1"])).await
    }
}

#[derive(PartialEq)]
enum Sent {
    Alone,
    WithAuthority,
}

pub(super) fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    alpn: &[&str],
) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// Asks with this authority trusted, and no other.
async fn ask(server: &Server, ca: &Authority) -> Told {
    let url = server.url_by_name("wss");
    doctor(&[&url, "--idle", "0.1", "--ca", ca.file()]).await
}

/// The certificate alone is at fault, and all else was looked at.
fn is_the_only_fault(told: &Told, id: &str) {
    told.exits(2).finds(0, &[("error", id)]);
    told.is_fine_with(&["tls", "alpn", "handshake", "ping"]);
}

#[tokio::test]
async fn a_trusted_one_is_fine() {
    let authority = Authority::new();
    for sent in [Sent::Alone, Sent::WithAuthority] {
        let server = authority.serve(sent, |_| {}).await;
        let told = ask(&server, &authority).await;
        told.exits(0).finds(0, &[]).is_fine_with(&["certificate"]);
        told.says(0, "alpn", "saw", "http/1.1 of")
            .says(0, "tls", "saw", "TLS 1.3");
    }
}

#[tokio::test]
async fn times_and_names() {
    let authority = Authority::new();
    let old = authority.serve(Sent::Alone, |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    is_the_only_fault(&ask(&old.await, &authority).await, "certificate-expired");
    let early = authority.serve(Sent::Alone, |params| {
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(3000, 1, 1);
    });
    is_the_only_fault(
        &ask(&early.await, &authority).await,
        "certificate-not-yet-valid",
    );
    let other = authority.serve(Sent::Alone, |params| {
        params.subject_alt_names = vec![
            SanType::DnsName("a.example".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
    });
    let told = ask(&other.await, &authority).await;
    is_the_only_fault(&told, "certificate-wrong-name");
    let names = "not for localhost, but for a.example, 127.0.0.1";
    told.says(0, "certificate-wrong-name", "saw", names);
}

#[tokio::test]
async fn who_issued_it() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = authority.serve(Sent::WithAuthority, |_| {}).await;
    is_the_only_fault(&ask(&server, &other).await, "certificate-unknown-authority");
    let server = authority.serve(Sent::Alone, |_| {}).await;
    is_the_only_fault(&ask(&server, &other).await, "certificate-chain-incomplete");

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = acceptor(vec![made.cert.into()], &made.signing_key, &["http/1.1"]);
    let server = Server::honest_over(tls).await;
    is_the_only_fault(&ask(&server, &other).await, "certificate-self-signed");
    // Two faults at once are two findings.
    let told = doctor(&[&server.url("wss"), "--idle", "0.1", "--ca", other.file()]).await;
    let both = [
        ("error", "certificate-self-signed"),
        ("error", "certificate-wrong-name"),
    ];
    told.exits(2).finds(0, &both);
}

#[tokio::test]
async fn an_authority_s_own_is_refused_by_some() {
    // As `openssl req -x509` makes it.
    let authority = Authority::new_for(&["localhost"]);
    let chain = || vec![authority.issuer.der().clone()];
    let tls = acceptor(chain(), authority.issuer.key(), &["http/1.1"]);
    let server = Server::honest_over(tls).await;
    let told = ask(&server, &authority).await;
    let own = ("warning", "certificate-of-authority");
    told.exits(1).finds(0, &[own]);
    told.is_fine_with(&["certificate", "handshake", "ping"]);
    told.says(
        0,
        own.1,
        "means",
        "some clients, those on rustls, refuse it",
    );
    // All else that is wrong with it is told too.
    let told = ask(&server, &Authority::new()).await;
    told.exits(2)
        .finds(0, &[("error", "certificate-self-signed"), own]);
    let url = server.url("wss");
    let told = doctor(&[&url, "--idle", "0.1", "--ca", authority.file()]).await;
    told.exits(2)
        .finds(0, &[("error", "certificate-wrong-name"), own]);
}

#[tokio::test]
async fn a_machine_without_certificates_can_do_without() {
    let none = [
        ("SSL_CERT_FILE", "/nonexistent/file"),
        ("SSL_CERT_DIR", "/nonexistent/folder"),
    ];
    let server = Server::start(super::server::HONEST).await;
    let told = doctor_with(&[&server.url("ws"), "--idle", "0.1"], &none).await;
    told.exits(0).finds(0, &[]);

    let authority = Authority::new();
    let server = authority.serve(Sent::WithAuthority, |_| {}).await;
    let url = server.url_by_name("wss");
    let told = doctor_with(&[&url, "--idle", "0.1"], &none).await;
    is_the_only_fault(&told, "certificate-unknown-authority");
    told.says(
        0,
        "certificate-unknown-authority",
        "mend",
        "ca-certificates",
    );
    let told = doctor_with(&[&url, "--idle", "0.1", "--ca", authority.file()], &none).await;
    told.exits(0).finds(0, &[]);
}

#[tokio::test]
async fn protocols_that_alpn_does_not_find() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = || vec![made.cert.der().clone()];
    let none = Server::honest_over(acceptor(chain(), &made.signing_key, &[])).await;
    let told = doctor(&[&none.url_by_name("wss"), "--idle", "0.1"]).await;
    told.says(0, "alpn", "saw", "none chosen");
    told.finds(0, &[("error", "certificate-self-signed")]);
    let other = Server::honest_over(acceptor(chain(), &made.signing_key, &["imap"])).await;
    let told = doctor(&[&other.url_by_name("wss")]).await;
    told.exits(2).finds(0, &[("error", "alpn-refused")]);
    // Asked for, and not to be had.
    let http1 = Server::honest_over(acceptor(chain(), &made.signing_key, &["http/1.1"])).await;
    for server in [&none, &http1] {
        let url = server.url_by_name("wss");
        let told = doctor(&[&url, "--idle", "0.1", "--http2", "--timeout", "2"]).await;
        let both = [
            ("error", "certificate-self-signed"),
            ("error", "http2-not-spoken"),
        ];
        told.exits(2).finds(0, &both);
    }
}
