//! Certificates and keys: read from PEM, checked, and made into a configuration of rustls.

use std::{fmt, fs, io, io::Read as _, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, pem, pem::PemObject as _},
};

/// The largest file of certificates that is read, in bytes; the authorities of a whole system are 300 kB.
const PEM_BYTES_MAX: u64 = 4_000_000;

/// Where certificates or a key in PEM come from.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The text itself.
    Text(Vec<u8>),
    /// A file, which is read again before each connection.
    File(PathBuf),
}

impl Pem {
    /// The text itself.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    /// A file, which is read again before each connection.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    fn read(&self) -> Result<Vec<u8>, TlsError> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let mut text = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(PEM_BYTES_MAX + 1).read_to_end(&mut text));
        let read = read.and_then(|length| match length as u64 > PEM_BYTES_MAX {
            true => Err(io::Error::other(format!("it is larger than {PEM_BYTES_MAX} bytes"))),
            false => Ok(()),
        });
        read.map_err(|source| TlsError::Read { path: path.clone(), source })?;
        Ok(text)
    }
}

/// Names the file; a text may be a key, and is not shown.
impl fmt::Debug for Pem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Pem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => formatter.write_str("the given PEM"),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or too large.
    #[error("{path} cannot be read")]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not PEM, or without what is expected in it.
    #[error("no valid {expected} in {origin}")]
    Pem {
        /// The file, or the given text.
        origin: Pem,
        /// What should be there: a certificate or a private key.
        expected: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A certificate that cannot be trusted, or a key that is not that of the certificate.
    #[error("the {expected} in {origin} cannot be used")]
    Unusable {
        /// The file, or the given text.
        origin: Pem,
        /// What should be there.
        expected: &'static str,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A server name that no certificate can show.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    ServerName {
        /// The text.
        name: String,
        /// What is wrong with it.
        source: InvalidDnsNameError,
    },
    /// The provider of cryptography cannot be used.
    #[error("TLS cannot be set up")]
    Provider(#[source] rustls::Error),
}

/// Where the credentials of a connector come from.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    /// Absent: the public authorities.
    pub(super) roots: Option<Pem>,
    /// Certificates and key.
    pub(super) identity: Option<(Pem, Pem)>,
}

/// What has been read from them, with the origins for errors.
#[derive(PartialEq, Eq)]
pub(super) struct Material {
    roots: Option<(Pem, Vec<u8>)>,
    identity: Option<[(Pem, Vec<u8>); 2]>,
}

impl Credentials {
    pub(super) fn come_from_files(&self) -> bool {
        let identity = self.identity.iter().flat_map(|(certificates, key)| [certificates, key]);
        self.roots.iter().chain(identity).any(|pem| matches!(pem, Pem::File(_)))
    }

    pub(super) fn read(&self) -> Result<Material, TlsError> {
        let read = |pem: &Pem| Ok((pem.clone(), pem.read()?));
        let roots = self.roots.as_ref().map(read).transpose()?;
        let identity = match &self.identity {
            None => None,
            Some((certificates, key)) => Some([read(certificates)?, read(key)?]),
        };
        Ok(Material { roots, identity })
    }
}

/// A configuration that trusts and shows this; ALPN is the caller's.
pub(super) fn config(material: &Material) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match &material.roots {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some((origin, text)) => {
            let expected = "certificate";
            for certificate in certificates(origin, text)? {
                let unusable = |source| TlsError::Unusable { origin: origin.clone(), expected, source };
                roots.add(certificate).map_err(unusable)?;
            }
        }
    }
    // Named, since the process may have another provider or none.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Provider)?
        .with_root_certificates(roots);
    let Some([(origin, text), (key_origin, key_text)]) = &material.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(origin, text)?;
    let expected = "private key";
    let no_key = |source| TlsError::Pem { origin: key_origin.clone(), expected, source };
    let key = PrivateKeyDer::from_pem_slice(key_text).map_err(no_key)?;
    let unusable = |source| TlsError::Unusable { origin: key_origin.clone(), expected, source };
    builder.with_client_auth_cert(chain, key).map_err(unusable)
}

/// All certificates of a text; at least one.
fn certificates(origin: &Pem, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let invalid = |source| TlsError::Pem { origin: origin.clone(), expected: "certificate", source };
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
    if found.is_empty() {
        return Err(invalid(pem::Error::NoItemsFound));
    }
    Ok(found)
}
