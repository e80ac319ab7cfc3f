use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData,
};
use ring::digest;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::hosts;

/// A throw-away authority, and a certificate of it for every host name of the server, `localhost`
/// and `127.0.0.1`.
#[derive(Clone)]
pub struct Certificates {
    authority: CertificateDer<'static>,
    authority_pem: String,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: Vec<u8>,
    key_pem: String,
    key_fingerprint: String,
}

impl Certificates {
    /// Makes new ones, which are valid at any time that a test sets its clock to.
    ///
    /// # Errors
    ///
    /// When there is no randomness to make keys of.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Throw-away authority for tests");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let mut names = hosts::names();
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, hosts::MAIN);
        let certificate = params.signed_by(&key, &authority)?;
        Ok(Self {
            authority: authority.der().clone(),
            authority_pem: authority.pem(),
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key: key.serialize_der(),
            key_pem: key.serialize_pem(),
            key_fingerprint: fingerprint(&key),
        })
    }

    /// The authority's certificate, to be trusted by who loads tests; DER.
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// The authority's certificate, to be trusted by who loads tests; PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The server's certificate; PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The server's private key; PEM.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The SHA-256 digest of the server's public key, by which browsers can be told to trust it
    /// whoever certifies it; base64. <https://www.rfc-editor.org/rfc/rfc7469#section-2.4>
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }

    /// A server with this certificate.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(self.key.clone().into());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn fingerprint(key: &KeyPair) -> String {
    let digest = digest::digest(&digest::SHA256, &key.subject_public_key_info());
    BASE64_STANDARD.encode(digest)
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Certificates")
            .finish_non_exhaustive()
    }
}
