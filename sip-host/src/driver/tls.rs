//! TLS: whose certificate is shown, and whose is believed (RFC 3261 26.3.1, RFC 5922).

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use webpki::EndEntityCert;

/// The files that TLS is made of.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The certificate that is shown, and after it those that lead to its issuer (PEM).
    pub certificate: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
    /// The issuers that are believed (PEM); without it those of the system.
    pub issuers: Option<PathBuf>,
}

/// Why TLS could not be made ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsError {
    /// The file, where one is to blame.
    pub file: Option<PathBuf>,
    /// What is wrong.
    pub problem: String,
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}: {}", file.display(), self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for TlsError {}

/// Both sides of TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: Option<TlsAcceptor>,
    pub(super) connector: TlsConnector,
}

impl Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("accepts", &self.acceptor.is_some()).finish_non_exhaustive()
    }
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(files.issuers.as_deref())?);
        let own = own(files)?;
        let blame = |why: Error| TlsError {
            file: files.certificate.clone(),
            problem: format!("its certificate and key cannot be used: {why}"),
        };
        let verifier = Arc::new(SipVerifier { roots: roots.clone(), provider: provider.clone() });
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(blame)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let client = match &own {
            Some((chain, key)) => {
                client.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(blame)?
            }
            None => client.with_no_client_auth(),
        };
        let server = own.map(|own| server(own, files, roots, provider).map_err(blame));
        let acceptor = server.transpose()?.map(|config| TlsAcceptor::from(Arc::new(config)));
        Ok(Self { acceptor, connector: TlsConnector::from(Arc::new(client)) })
    }

    /// What accepts connections, where there is a certificate to show.
    pub(super) const fn acceptor(&self) -> Option<&TlsAcceptor> {
        self.acceptor.as_ref()
    }
}

fn server(
    (chain, key): Own,
    files: &TlsFiles,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, Error> {
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    // A peer proxy that shows a certificate is known by its names (RFC 5923 3); nobody has to.
    let config = match files.issuers {
        Some(_) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .allow_unauthenticated()
                .build()
                .map_err(|e| Error::General(e.to_string()))?;
            config.with_client_cert_verifier(verifier)
        }
        None => config.with_no_client_auth(),
    };
    config.with_single_cert(chain, key)
}

fn wrong(file: &Path) -> impl Fn(&dyn std::fmt::Display) -> TlsError + '_ {
    |problem| TlsError { file: Some(file.to_owned()), problem: problem.to_string() }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = wrong(file);
    let list: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|e| wrong(&e))?.collect();
    let list = list.map_err(|e| wrong(&e))?;
    if list.is_empty() { Err(wrong(&"no certificate in it (PEM)")) } else { Ok(list) }
}

fn own(files: &TlsFiles) -> Result<Option<Own>, TlsError> {
    let (certificate, key) = match (&files.certificate, &files.key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(one), None) | (None, Some(one)) => {
            let wrong = wrong(one);
            return Err(wrong(&"a certificate needs its key, and a key its certificate"));
        }
    };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key)(&e))?;
    Ok(Some((chain, key)))
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(file) => {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|e| wrong(file)(&e))?;
            }
        }
        // None of the system's is no fault as long as nobody is connected to.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Believes a certificate of the roots that is for the SIP domain asked for.
#[derive(Debug)]
struct SipVerifier {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for SipVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )?;
        if is_for(end_entity, server_name) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidForName))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate is for this name. An address is looked for among the addresses.
fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) => {
            sip_names(certificate).iter().any(|n| n.eq_ignore_ascii_case(name.as_ref()))
        }
        ServerName::IpAddress(_) => EndEntityCert::try_from(certificate)
            .is_ok_and(|c| c.verify_is_valid_for_subject_name(name).is_ok()),
        _ => false,
    }
}

/// The SIP domains that a certificate is for (RFC 5922 7.1): those of its SIP URIs without a user,
/// and only if it has none its DNS names. A wildcard matches nothing (7.2).
pub(super) fn sip_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let mut any_sip = false;
    let mut names = Vec::new();
    for uri in certificate.valid_uri_names() {
        let Some((scheme, domain)) = uri.split_once(':') else { continue };
        if scheme.eq_ignore_ascii_case("sip") {
            any_sip = true;
            names.extend((!domain.contains('@')).then(|| domain.to_owned()));
        }
    }
    if !any_sip {
        let plain = |name: &&str| !name.contains('*');
        names.extend(certificate.valid_dns_names().filter(plain).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[SanType]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn name(text: &str) -> ServerName<'_> {
        ServerName::try_from(text).unwrap()
    }

    // RFC 5922 7.1
    #[test]
    fn a_sip_uri_in_a_certificate_leaves_its_dns_names_without_meaning() {
        let both = certificate(&[uri("sip:example.com"), dns("proxy.example.com")]);
        assert_eq!(sip_names(&both), ["example.com"]);
        assert!(is_for(&both, &name("EXAMPLE.com")));
        assert!(!is_for(&both, &name("proxy.example.com")));
        let user = certificate(&[uri("sip:alice@example.com"), dns("example.com")]);
        assert!(sip_names(&user).is_empty(), "a person is no domain, but hides the DNS names");
        let web = certificate(&[uri("https://example.com/"), dns("example.com")]);
        assert_eq!(sip_names(&web), ["example.com"]);
    }

    // RFC 5922 7.2
    #[test]
    fn a_wildcard_matches_nothing() {
        let wild = certificate(&[dns("*.example.com"), dns("example.com")]);
        assert!(is_for(&wild, &name("example.com")));
        assert!(!is_for(&wild, &name("a.example.com")));
    }

    #[test]
    fn an_address_is_looked_for_among_the_addresses() {
        let address = certificate(&[SanType::IpAddress("127.0.0.1".parse().unwrap())]);
        assert!(is_for(&address, &name("127.0.0.1")));
        assert!(!is_for(&address, &name("127.0.0.2")));
        assert!(!is_for(&certificate(&[dns("localhost")]), &name("127.0.0.1")));
    }

    #[test]
    fn what_is_wrong_names_its_file() {
        let files =
            |certificate: Option<&str>, key: Option<&str>, issuers: Option<&str>| TlsFiles {
                certificate: certificate.map(Into::into),
                key: key.map(Into::into),
                issuers: issuers.map(Into::into),
            };
        let problem = |f: TlsFiles| Tls::load(&f).unwrap_err().to_string();
        let none = "/nonexistent/ca.pem";
        assert!(problem(files(None, None, Some(none))).starts_with("/nonexistent/ca.pem: "));
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert!(problem(files(None, None, Some(here))).contains("no certificate in it"));
        assert!(
            problem(files(None, Some("k.pem"), None)).starts_with("k.pem: a certificate needs")
        );
    }
}
