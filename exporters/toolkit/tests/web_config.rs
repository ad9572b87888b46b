//! The web configuration, over real sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openmetrics::model::MetricSet;
use openmetrics_exporter_toolkit::{Exporter, Running, Web, check_web_config};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use xtask::Folder;

/// A self-signed certificate and its key, in PEM.
struct Identity {
    certificate: String,
    key: String,
}

fn identity(names: &[&str]) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    // As `openssl req -x509` makes them: an authority of its own.
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    Identity { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn start(config: &Path) -> Running {
    let mut web = Web::at("127.0.0.1:0");
    web.config_file = Some(config.to_owned());
    Exporter::new("demo_exporter", "1.2.3").metrics(MetricSet::default()).start(&web).unwrap()
}

/// Trusts one certificate, whoever signed it and whatever it is for: what is tested is the server.
#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl rustls::client::danger::ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        if *certificate == self.0 {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        } else {
            Err(rustls::CertificateError::UnknownIssuer.into())
        }
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A client's side of TLS that trusts `server`.
fn client(server: &Identity, own: Option<&Identity>, http2: bool) -> rustls::ClientConfig {
    let pinned = Pinned(CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap());
    let builder =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pinned));
    let mut config = match own {
        Some(own) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    if http2 {
        config.alpn_protocols = vec![b"h2".to_vec()];
    }
    config
}

type Answer = Result<http::Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

fn request(path: &str, headers: &[(&str, &str)]) -> http::Request<Empty<Bytes>> {
    let mut request = http::Request::get(format!("https://localhost{path}")).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Empty::new()).unwrap()
}

async fn plain(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> http::Response<Bytes> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut request = request(path, headers);
    *request.uri_mut() = path.parse().unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    http::Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

async fn secure(address: SocketAddr, tls: rustls::ClientConfig, path: &str) -> Answer {
    let http2 = !tls.alpn_protocols.is_empty();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost")?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(tls)).connect(name, stream).await?;
    let io = TokioIo::new(stream);
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request(path, &[])).await?
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        let mut request = request(path, &[]);
        *request.uri_mut() = path.parse()?;
        sender.send_request(request).await?
    };
    let (head, body) = response.into_parts();
    Ok(http::Response::from_parts(head, body.collect().await?.to_bytes()))
}

#[tokio::test]
async fn tls_with_http_1_and_2_and_a_certificate_that_changes() {
    let (folder, first, second) =
        (Folder::new("web-config"), identity(&["localhost"]), identity(&["localhost"]));
    folder.write("a.crt", &first.certificate);
    folder.write("a.key", &first.key);
    let config = folder.write("web.yml", "tls_server_config: { cert_file: a.crt, key_file: a.key }\n");
    let running = start(&config);
    let address = running.addresses()[0];
    assert!(running.first_screen().contains("https://") && running.first_screen().contains("scheme: https"));

    let answer = secure(address, client(&first, None, false), "/metrics").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_11));
    let answer = secure(address, client(&first, None, true), "/metrics").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    assert!(String::from_utf8_lossy(answer.body()).contains("demo_exporter_build_info"));
    assert!(secure(address, client(&second, None, false), "/metrics").await.is_err());

    folder.write("a.crt", &second.certificate);
    folder.write("a.key", &second.key);
    tokio::time::sleep(Duration::from_millis(600)).await; // files are looked at every half second at most
    assert_eq!(secure(address, client(&second, None, true), "/metrics").await.unwrap().status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn http2_can_be_turned_off() {
    let (folder, server) = (Folder::new("web-config"), identity(&["localhost"]));
    folder.write("a.crt", &server.certificate);
    let key = server.key.replace('\n', "\n    ");
    let text = format!(
        "tls_server_config:\n  cert_file: a.crt\n  key: |\n    {key}\nhttp_server_config:\n  http2: false\n"
    );
    let running = start(&folder.write("web.yml", &text));
    let address = running.addresses()[0];
    assert!(secure(address, client(&server, None, true), "/metrics").await.is_err());
    assert_eq!(secure(address, client(&server, None, false), "/metrics").await.unwrap().status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn clients_are_asked_for_certificates() {
    let (folder, server) = (Folder::new("web-config"), identity(&["localhost"]));
    let (known, stranger) = (identity(&["scraper.example", "10.1.2.3"]), identity(&["scraper.example"]));
    folder.write("a.crt", &server.certificate);
    folder.write("a.key", &server.key);
    folder.write("ca.crt", &known.certificate);
    for (policy, none_passes, stranger_passes, known_passes) in [
        ("client_auth_type: RequestClientCert", true, true, true),
        ("client_auth_type: RequireAnyClientCert", false, true, true),
        ("client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt", true, false, true),
        ("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt", false, false, true),
        (
            "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans: [10.1.2.3]",
            false,
            false,
            true,
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans: [other]",
            false,
            false,
            false,
        ),
    ] {
        let text = format!("tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  {policy}\n");
        let running = start(&folder.write("web.yml", &text));
        for (own, passes) in
            [(None, none_passes), (Some(&stranger), stranger_passes), (Some(&known), known_passes)]
        {
            let answer = secure(running.addresses()[0], client(&server, own, false), "/metrics").await;
            assert_eq!(answer.is_ok(), passes, "{policy} {}", own.is_some());
        }
        running.stop().await;
    }
}

/// Of "correct horse", at the lowest cost.
fn alice() -> String {
    format!("basic_auth_users:\n  alice: {}\n", bcrypt::hash("correct horse", 4).unwrap())
}

const RIGHT: (&str, &str) = ("authorization", "Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==");

#[tokio::test]
async fn users_headers_and_a_configuration_that_goes_bad_and_good_again() {
    let folder = Folder::new("web-config");
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n";
    let config = folder.write("web.yml", &(alice() + headers));
    let running = start(&config);
    let address = running.addresses()[0];
    for path in ["/metrics", "/", "/-/healthy", "/nothing"] {
        let answer = plain(address, path, &[]).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["www-authenticate"]),
            (401, &"Basic".parse().unwrap())
        );
        assert_eq!(answer.headers()["x-frame-options"], "sameorigin");
    }
    let metrics = async || {
        let answer = plain(address, "/metrics", &[RIGHT]).await;
        assert_eq!(answer.status(), 200);
        String::from_utf8(answer.into_body().into()).unwrap()
    };
    assert!(metrics().await.contains("demo_exporter_web_config_last_reload_successful 1\n"));

    folder.write("web.yml", "basic_auth_users:\n  alice: hunter2\n");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let text = metrics().await;
    assert!(
        text.contains("demo_exporter_web_config_last_reload_successful 0\n"),
        "the old one stays: {text}"
    );

    folder.write("web.yml", "");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(metrics().await.contains("demo_exporter_web_config_last_reload_successful 1\n"));
    assert_eq!(plain(address, "/metrics", &[]).await.status(), 200, "nobody is asked any more");
    running.stop().await;
}

#[tokio::test]
async fn a_rate_is_kept() {
    let folder = Folder::new("web-config");
    let running = start(&folder.write("web.yml", "rate_limit:\n  interval: 1h\n  burst: 3\n"));
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(plain(running.addresses()[0], "/metrics", &[]).await.status().as_u16());
    }
    assert_eq!(answers, [200, 200, 200, 429, 429]);
    running.stop().await;
}

#[test]
fn secrets_are_in_no_error() {
    let folder = Folder::new("web-config");
    let server = identity(&["localhost"]);
    folder.write("a.crt", &server.certificate);
    for text in [
        "basic_auth_users:\n  alice: hunter2\n",
        "basic_auth_users: hunter2\n",
        "basic_auth_users: [hunter2]\n",
        "basic_auth_users:\n  alice: [hunter2]\n",
        "basic_auth_users:\n  alice:\n    nested: hunter2\n",
        "tls_server_config:\n  cert_file: a.crt\n  key: hunter2\n",
        "tls_server_config:\n  cert_file: a.crt\n  key: [hunter2]\n",
        "tls_server_config: hunter2\n",
        "hunter2: hunter2\nhunter2\n",
    ] {
        let error = check_web_config(&folder.write("web.yml", text)).unwrap_err();
        // A key in the wrong place is a name, which the error has to tell.
        assert!(!error.contains("hunter2") || text.starts_with("hunter2:"), "{error}");
        assert!(error.contains("web.yml:"), "{error}");
    }
}

#[test]
fn mistakes_of_meaning_have_their_place_as_well() {
    let folder = Folder::new("web-config");
    let server = identity(&["localhost"]);
    folder.write("a.crt", &server.certificate);
    folder.write("a.key", &server.key);
    folder.write("b.key", &identity(&["localhost"]).key);
    let tls = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n";
    for (text, place, part) in [
        ("basic_auth_users:\n  bob: hunter2\n".into(), "2:8", "bob: a bcrypt hash was expected"),
        (
            "http_server_config:\n  headers:\n    Server: x\n".into(),
            "3:13",
            "header \"Server\" cannot be set",
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: ALLOW\n".into(),
            "3:22",
            "deny or sameorigin",
        ),
        ("\ntls_server_config:\n  cert_file: a.crt\n".into(), "3:3", "neither key nor key_file"),
        ("tls_server_config:\n  key_file: a.key\n".into(), "2:3", "neither cert nor cert_file"),
        ("tls_server_config:\n  cert_file: missing\n  key_file: a.key\n".into(), "2:14", "No such file"),
        ("tls_server_config:\n  cert_file: a.crt\n  key_file: missing\n".into(), "3:13", "No such file"),
        (
            "tls_server_config:\n  cert_file: a.key\n  key_file: a.key\n".into(),
            "2:14",
            "no certificate in it",
        ),
        ("tls_server_config:\n  cert_file: a.crt\n  key_file: a.crt\n".into(), "3:13", "no private key"),
        ("tls_server_config:\n  cert_file: a.crt\n  key_file: b.key\n".into(), "3:13", "certificate and key"),
        ("tls_server_config:\n  cert: nonsense\n  key: nonsense\n".into(), "2:9", "no certificate in it"),
        (format!("{tls}  max_version: TLS11\n"), "4:16", "below TLS12"),
        (format!("{tls}  min_version: TLS13\n  max_version: TLS12\n"), "4:16", "above max_version"),
        (
            format!("{tls}  cipher_suites:\n  - TLS_AES_128_GCM_SHA256\n  - TLS_X\n"),
            "6:5",
            "no cipher suite \"TLS_X\"",
        ),
        (format!("{tls}  curve_preferences: [X25519, P1]\n"), "4:31", "no curve \"P1\""),
        (format!("{tls}  client_auth_type: Sometimes\n"), "4:21", "is none of"),
        (format!("{tls}  client_auth_type: RequireAndVerifyClientCert\n"), "4:21", "needs client_ca"),
        (format!("{tls}  client_ca_file: a.crt\n"), "4:19", "no client_auth_type that would use it"),
        (
            format!("{tls}  client_ca_file: a.key\n  client_auth_type: RequireAndVerifyClientCert\n"),
            "4:19",
            "client CA has no certificate",
        ),
        ("rate_limit:\n  interval: soon\n".into(), "2:13", "no duration"),
        ("rate_limit:\n  bursts: 1\n".into(), "2:3", "bursts"),
    ] {
        let file = folder.write("web.yml", &text);
        let error = check_web_config(&file).unwrap_err();
        let expected = format!("{}:{place}: ", file.display());
        assert!(error.starts_with(&expected) && error.contains(part), "{text}\n{error}");
    }
}

/// Fields that came after the oldest promtool that is still around, that of Debian 12.
const NEWER_FIELDS: &[&str] = &["cert", "key", "client_ca", "client_allowed_sans", "rate_limit"];

#[test]
fn promtool_comes_to_the_same_verdict() {
    let Some(promtool) = xtask::peers::find("promtool") else { return };
    let folder = Folder::new("web-config");
    let server = identity(&["localhost"]);
    folder.write("a.crt", &server.certificate);
    folder.write("a.key", &server.key);
    folder.write("b.key", &identity(&["localhost"]).key);
    let tls = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n";
    let hash = bcrypt::hash("x", 4).unwrap();
    let ciphers = "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]\n";
    for text in [
        String::new(),
        "# nothing\n".into(),
        tls.into(),
        format!("{tls}  min_version: TLS13\n"),
        format!("{tls}  min_version: TLS14\n"),
        format!("{tls}  max_version: TLS12\n"),
        format!("{tls}{ciphers}"),
        format!("{tls}  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA2048]\n"),
        format!("{tls}  curve_preferences: [CurveP256, X25519]\n"),
        format!("{tls}  curve_preferences: [CurveP257]\n"),
        format!("{tls}  client_auth_type: RequireAnyClientCert\n"),
        format!("{tls}  client_auth_type: RequireClientCert\n"),
        format!("{tls}  client_auth_type: NoClientCert\n"),
        format!("{tls}  client_auth_type: Sometimes\n"),
        format!("{tls}  client_ca_file: a.crt\n"),
        format!("{tls}  client_ca_file: a.crt\n  client_auth_type: RequireAndVerifyClientCert\n"),
        format!("{tls}  client_ca_file: missing\n  client_auth_type: RequireAndVerifyClientCert\n"),
        format!("{tls}  client_allowed_sans: [a, b]\n  client_auth_type: RequireAnyClientCert\n"),
        format!("{tls}  prefer_server_cipher_suites: false\n"),
        format!("{tls}  certificate: x\n"),
        "tls_server_config:\n  cert_file: a.crt\n".into(),
        "tls_server_config:\n  key_file: a.key\n".into(),
        "tls_server_config:\n  cert_file: ''\n  key_file: ''\n".into(),
        "tls_server_config:\n  cert_file: missing\n  key_file: a.key\n".into(),
        "tls_server_config:\n  cert_file: a.crt\n  key_file: missing\n".into(),
        "tls_server_config:\n  cert_file: a.crt\n  key_file: b.key\n".into(),
        "tls_server_config:\n  cert_file: a.key\n  key_file: a.key\n".into(),
        "tls_server_config:\n  cert: nonsense\n  key: nonsense\n".into(),
        "tls_server_config:\n  client_auth_type: NoClientCert\n".into(),
        "tls_server_config: []\n".into(),
        "http_server_config:\n  http2: false\n".into(),
        "http_server_config:\n  http2: 7\n".into(),
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: '0'\n".into(),
        "http_server_config:\n  headers:\n    X-Frame-Options: DENY\n".into(),
        "http_server_config:\n  headers:\n    X-Content-Type-Options: sniff\n".into(),
        "http_server_config:\n  headers:\n    Server: x\n".into(),
        format!("basic_auth_users:\n  alice: {hash}\n"),
        format!("basic_auth_users:\n  alice: {hash}\n  alice: {hash}\n"),
        "basic_auth_users:\n  alice: password\n".into(),
        "basic_auth_users:\n  alice:\n".into(),
        "basic_auth_users:\n".into(),
        "rate_limit:\n  interval: 1s\n  burst: 20\n".into(),
        "rate_limit:\n  interval: soon\n".into(),
        "rate_limit:\n  burst: many\n".into(),
        "rate_limit:\n  interval: 1s\n  bursts: 20\n".into(),
        "nonsense\n".into(),
        "nonsense: 1\n".into(),
        "\tx\n".into(),
    ] {
        let file = folder.write("web.yml", &text);
        let ours = check_web_config(&file);
        let theirs = Command::new(&promtool).args(["check", "web-config"]).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&theirs.stderr);
        // A promtool that is older than a field of a good file has no verdict on it.
        let unknown = |field: &&&str| said.contains(&format!("field {field} not found"));
        if let (Ok(()), Some(field)) = (&ours, NEWER_FIELDS.iter().find(unknown)) {
            xtask::peers::say_skipped(&format!("this promtool does not know {field} yet"));
            continue;
        }
        assert_eq!(ours.is_ok(), theirs.status.success(), "{text:?}\nours: {ours:?}\ntheirs: {said}");
    }
}
