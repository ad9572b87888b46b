//! TLS as the web configuration describes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion, version,
};

use super::config::{Newest, Oldest, Tls, Version, resolve};
use super::der::Certificate;
use super::place::{Mistake, Placed};

/// A server's side of TLS, and the files it was made from.
pub(crate) struct Made {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) files: Vec<PathBuf>,
    /// What was asked for and is not there.
    pub(crate) warnings: Vec<String>,
}

/// Names of Go's cipher suites and ours; `None` where rustls has none. Those of TLS 1.3 are always on, as in Go.
const CIPHERS: [(&str, Option<rustls::CipherSuite>); 13] = {
    use rustls::CipherSuite as C;
    [
        ("TLS_AES_128_GCM_SHA256", None),
        ("TLS_AES_256_GCM_SHA384", None),
        ("TLS_CHACHA20_POLY1305_SHA256", None),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
        ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
        ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Some(C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)),
        ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Some(C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some(C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", Some(C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384)),
        ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", Some(C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)),
        (
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            Some(C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        ),
    ]
};

/// Those that HTTP/2 demands one of, where TLS 1.2 is spoken.
const OF_HTTP2: [&str; 2] =
    ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

const CURVES: [(&str, Option<rustls::NamedGroup>); 4] = [
    ("CurveP256", Some(rustls::NamedGroup::secp256r1)),
    ("CurveP384", Some(rustls::NamedGroup::secp384r1)),
    ("CurveP521", None),
    ("X25519", Some(rustls::NamedGroup::X25519)),
];

/// Makes the server's side of TLS; `None` if it is not asked for. Paths are relative to `config`'s folder.
pub(crate) fn make(tls: &Placed<Tls>, http2: bool, config: &Path) -> Result<Option<Made>, Mistake> {
    if !tls.is_enabled() {
        return Ok(None);
    }
    let (mut files, mut warnings) = (Vec::new(), Vec::new());
    let mut load = |inline: &[u8], file: &Placed<String>| -> Result<Vec<u8>, Mistake> {
        if file.is_empty() {
            return Ok(inline.to_vec());
        }
        let path = resolve(config, file);
        let bytes =
            std::fs::read(&path).map_err(|error| file.mistake(format!("{}: {error}", path.display())))?;
        files.push(path);
        Ok(bytes)
    };
    let (cert_at, key_at) = (given(&tls.cert, &tls.cert_file), given(&tls.key, &tls.key_file));
    if tls.cert.is_empty() && tls.cert_file.is_empty() {
        return Err(tls.mistake("tls_server_config has neither cert nor cert_file"));
    }
    if tls.key.reveal().is_empty() && tls.key_file.is_empty() {
        return Err(tls.mistake("tls_server_config has neither key nor key_file"));
    }
    let chain = certificates(&load(tls.cert.as_bytes(), &tls.cert_file)?)
        .map_err(|why| cert_at.mistake(format!("the certificate {why}")))?;
    let key = load(tls.key.reveal().as_bytes(), &tls.key_file)?;
    // The error of the reader is left out: nothing of a key is for showing.
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| key_at.mistake("the key is no private key in PEM"))?;
    let client_ca = load(tls.client_ca.as_bytes(), &tls.client_ca_file)?;

    let provider = Arc::new(provider(tls, http2, &mut warnings)?);
    let versions = versions(tls, &mut warnings)?;
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&versions).map_err(
            |error| tls.mistake(format!("these ciphers, curves and versions do not go together: {error}")),
        )?;
    let builder = match client_verifier(tls, &client_ca, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut made = builder
        .with_single_cert(chain, key)
        .map_err(|error| key_at.mistake(format!("certificate and key: {error}")))?;
    made.ignore_client_order = tls.prefer_server_cipher_suites;
    made.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { Vec::new() };
    made.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(Some(Made { config: Arc::new(made), files, warnings }))
}

/// Where something is given, inline or as a file.
fn given<T>(inline: &Placed<T>, file: &Placed<String>) -> Placed<()> {
    if file.is_empty() { inline.place() } else { file.place() }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let all = all.map_err(|error| format!("is not PEM: {error}"))?;
    if all.is_empty() { Err("has no certificate in it".into()) } else { Ok(all) }
}

fn provider(tls: &Placed<Tls>, http2: bool, warnings: &mut Vec<String>) -> Result<CryptoProvider, Mistake> {
    let mut provider = ring::default_provider();
    if !tls.cipher_suites.is_empty() {
        let mut wanted = Vec::new();
        for name in &tls.cipher_suites {
            let known = CIPHERS.iter().find(|(known, _)| *known == name.as_str());
            match known.ok_or_else(|| name.mistake(format!("there is no cipher suite {name:?}")))?.1 {
                Some(suite) => wanted.push(suite),
                None if name.starts_with("TLS_ECDHE") => {
                    warnings.push(format!("cipher suite {} is not offered", **name));
                }
                None => {}
            }
        }
        let old = tls.min_version.0 < Version::Tls13;
        let at = tls.cipher_suites.first().map(Placed::place).unwrap_or_default();
        if http2 && old && !tls.cipher_suites.iter().any(|name| OF_HTTP2.contains(&name.as_str())) {
            return Err(at.mistake(format!(
                "HTTP/2 needs one of the cipher suites {}; or set http2: false",
                OF_HTTP2.join(", ")
            )));
        }
        let place = |suite: rustls::CipherSuite| wanted.iter().position(|wanted| *wanted == suite);
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || place(suite.suite()).is_some());
        provider.cipher_suites.sort_by_key(|suite| (suite.tls13().is_none(), place(suite.suite())));
        if old && tls.max_version.0 < Version::Tls13 && wanted.is_empty() {
            return Err(at.mistake("none of the cipher suites is one that can be offered"));
        }
    }
    if !tls.curve_preferences.is_empty() {
        let mut groups = Vec::new();
        for name in &tls.curve_preferences {
            let known = CURVES.iter().find(|(known, _)| *known == name.as_str());
            let group = known.ok_or_else(|| name.mistake(format!("there is no curve {name:?}")))?.1;
            match provider.kx_groups.iter().find(|offered| Some(offered.name()) == group) {
                Some(group) => groups.push(*group),
                None => warnings.push(format!("curve {} is not offered", **name)),
            }
        }
        if groups.is_empty() {
            let at = tls.curve_preferences.first().map(Placed::place).unwrap_or_default();
            return Err(
                at.mistake("none of the curves is one that can be offered: CurveP256, CurveP384, X25519")
            );
        }
        provider.kx_groups = groups;
    }
    Ok(provider)
}

fn versions(
    tls: &Tls,
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, Mistake> {
    let (Oldest(oldest), Newest(newest)) = (*tls.min_version, *tls.max_version);
    if newest < Version::Tls12 {
        return Err(tls.max_version.mistake("max_version is below TLS12, and nothing older is spoken here"));
    }
    if oldest > newest {
        return Err(tls.min_version.mistake("min_version is above max_version"));
    }
    if oldest < Version::Tls12 {
        warnings.push("min_version is below TLS12, which is the oldest spoken here".into());
    }
    let spoken = [(Version::Tls12, &version::TLS12), (Version::Tls13, &version::TLS13)];
    let wanted = |version: Version| (oldest..=newest).contains(&version);
    Ok(spoken.into_iter().filter(|(version, _)| wanted(*version)).map(|(_, version)| version).collect())
}

/// What is asked of clients' certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    required: bool,
    verified: bool,
}

fn client_verifier(
    tls: &Tls,
    ca: &[u8],
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, Mistake> {
    let (asked, ca_at) = (&tls.client_auth_type, given(&tls.client_ca, &tls.client_ca_file));
    let policy = match asked.as_str() {
        "" | "NoClientCert" => {
            return if ca.is_empty() {
                Ok(None)
            } else {
                Err(ca_at.mistake("there is a client CA, and no client_auth_type that would use it"))
            };
        }
        "RequestClientCert" => Policy { required: false, verified: false },
        "RequireAnyClientCert" | "RequireClientCert" => Policy { required: true, verified: false },
        "VerifyClientCertIfGiven" => Policy { required: false, verified: true },
        "RequireAndVerifyClientCert" => Policy { required: true, verified: true },
        other => {
            return Err(asked.mistake(format!(
                "client_auth_type {other:?} is none of NoClientCert, RequestClientCert, RequireAnyClientCert, \
                 VerifyClientCertIfGiven and RequireAndVerifyClientCert"
            )));
        }
    };
    let (mut trusted, mut chains) = (Vec::new(), None);
    if policy.verified {
        if ca.is_empty() {
            let message = format!("client_auth_type {} needs client_ca or client_ca_file", **asked);
            return Err(asked.mistake(message));
        }
        trusted = certificates(ca).map_err(|why| ca_at.mistake(format!("the client CA {why}")))?;
        let mut roots = RootCertStore::empty();
        let (_, bad) = roots.add_parsable_certificates(trusted.iter().cloned());
        if bad == trusted.len() {
            return Err(ca_at.mistake("the client CA has no certificate that can be read"));
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        chains = Some(verifier.map_err(|error| ca_at.mistake(format!("client CA: {error}")))?);
    }
    Ok(Some(Arc::new(Clients { policy, trusted, chains, names: tls.client_allowed_sans.clone(), provider })))
}

/// Checks clients' certificates as Go does: by chain, or by being one of the trusted ones itself, as self-signed
/// certificates are; then by name.
#[derive(Debug)]
struct Clients {
    policy: Policy,
    trusted: Vec<CertificateDer<'static>>,
    chains: Option<Arc<dyn ClientCertVerifier>>,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.policy.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.as_ref().map_or(&[], |chains| chains.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let parsed = Certificate::parse(certificate).ok_or(CertificateError::BadEncoding)?;
        if let Some(chains) = &self.chains {
            let itself = self.trusted.iter().any(|trusted| trusted == certificate);
            if !itself {
                chains.verify_client_cert(certificate, intermediates, now)?;
            } else if now.as_secs() < parsed.valid.0 {
                return Err(CertificateError::NotValidYet.into());
            } else if now.as_secs() > parsed.valid.1 {
                return Err(CertificateError::Expired.into());
            }
        }
        let allowed = self.names.is_empty() || parsed.names.iter().any(|name| self.names.contains(name));
        if allowed {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
