use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;

use net::{FetchErrorKind, NetConfig, NetStartError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::server::answer;
use crate::{Browser, own};

/// An authority that nobody trusts by default.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// An HTTPS server for `name`, certified by `authority`, on the port that is returned.
fn serve(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
            let mut line = String::new();
            // A browser that does not trust the certificate sends no request.
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            let _ = reader
                .get_mut()
                .write_all(answer("200 OK", "", "secure").as_bytes());
        }
    });
    port
}

#[test]
fn a_certificate_of_a_trusted_authority_is_accepted() {
    let authority = authority();
    let port = serve(&authority, "localhost");
    let extra_root_certificates = vec![authority.der().to_vec()];
    let browser = Browser::with(NetConfig {
        extra_root_certificates,
        ..NetConfig::default()
    });
    let response = browser
        .fetch(own(&format!("https://localhost:{port}/")))
        .unwrap();
    assert_eq!(response.body, b"secure");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let port = serve(&authority(), "localhost");
    let error = Browser::new()
        .fetch(own(&format!("https://localhost:{port}/")))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Tls);
    assert!(!error.is_network_unreachable());
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    let port = serve(&authority, "other.example");
    let extra_root_certificates = vec![authority.der().to_vec()];
    let browser = Browser::with(NetConfig {
        extra_root_certificates,
        ..NetConfig::default()
    });
    let error = browser
        .fetch(own(&format!("https://localhost:{port}/")))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Tls);
    assert!(error.to_string().contains("localhost"), "{error}");
}

#[test]
fn a_server_that_speaks_no_tls_is_an_error() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(answer("400 Bad Request", "", "").as_bytes());
    });
    let error = Browser::new()
        .fetch(own(&format!("https://{address}/")))
        .unwrap_err();
    assert_eq!(error.kind, FetchErrorKind::Tls, "{error}");
}

#[test]
fn an_unusable_root_certificate_is_an_error_at_the_start() {
    let browser = Browser::new();
    let extra_root_certificates = vec![b"no certificate".to_vec()];
    let config = NetConfig {
        extra_root_certificates,
        ..NetConfig::default()
    };
    let error = net::Net::start(config, browser.services()).unwrap_err();
    assert!(matches!(error, NetStartError::Certificate(_)), "{error}");
}
