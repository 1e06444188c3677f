//! TLS to the database: rustls over ring, so that no system library is needed.
//!
//! A password is bound to the server's certificate where both sides can (`binding`), unless `channel_binding=disable`:
//! who stands between with a certificate of his own is found out, also where certificates are not verified.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Config, Socket};
use tokio_rustls::TlsConnector;

use super::binding::end_point;
use super::codes::Tap;
use riftsync_basics::read_at_most;

/// All certificates that systems trust take a quarter of it.
const ROOTS_BYTES_MAX: u64 = 1024 * 1024;

/// What of a server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Encryption only, as `sslmode=require` says.
    Nothing,
    Chain,
    ChainAndName,
}

/// Makes TLS connections.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    /// Nothing is said to a server to which a password cannot be bound.
    bound: bool,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests ask what was understood"))]
    verify: Verify,
}

impl Tls {
    /// `roots`: a file of certificates; the system's if none is named. `bound`: as `channel_binding=require` says.
    pub(super) fn new(verify: Verify, roots: Option<&str>, bound: bool) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match verify {
            Verify::Nothing => Arc::new(Lenient {
                chain: None,
                provider: provider.clone(),
            }),
            Verify::Chain => Arc::new(Lenient {
                chain: Some(strict(roots, &provider)?),
                provider: provider.clone(),
            }),
            Verify::ChainAndName => strict(roots, &provider)?,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            bound,
            verify,
        })
    }

    #[cfg(test)]
    pub(super) fn verify(&self) -> Verify {
        self.verify
    }
}

fn strict(
    roots: Option<&str>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(path) = roots.filter(|path| *path != "system") else {
        let verifier = rustls_platform_verifier::Verifier::new(provider.clone());
        return Ok(Arc::new(verifier.map_err(|error| {
            format!("the certificates that this system trusts: {error}")
        })?));
    };
    let wrong = |cause: String| format!("sslrootcert {path}: {cause}");
    let mut store = RootCertStore::empty();
    let text = read_at_most(Path::new(path), ROOTS_BYTES_MAX);
    let text = text.map_err(|error| wrong(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        store
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
    Ok(verifier.map_err(|error| wrong(error.to_string()))?)
}

/// Accepts any name, and without a `chain` to check any certificate.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<dyn ServerCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(certificate, others, name, ocsp, now) {
            // The name is compared last: the chain was good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// How a server that is reached over TCP is spoken to. Whether under TLS is found out here and not by the library, so
/// that plain connections too are heard (`codes`): to the library all of them are under TLS.
#[derive(Clone)]
pub(super) struct Way {
    tls: Tls,
    mode: SslMode,
    negotiation: SslNegotiation,
}

impl Way {
    /// Takes over what `config` says of it.
    pub(super) fn of(config: &mut Config, tls: Tls) -> Self {
        let way = Self {
            tls,
            mode: config.get_ssl_mode(),
            negotiation: config.get_ssl_negotiation(),
        };
        config
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct);
        way
    }
}

impl MakeTlsConnect<Socket> for Way {
    type Stream = Tap<Transport>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        Ok(Handshake {
            way: self.clone(),
            host: host.to_owned(),
        })
    }
}

/// What there is of a handshake before it is known whether there will be one.
pub(super) struct Handshake {
    way: Way,
    host: String,
}

/// The letter that asks a server whether it speaks TLS, as the protocol has it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl Handshake {
    /// Whether TLS is spoken from here on.
    async fn is_tls(&self, socket: &mut Socket) -> io::Result<bool> {
        match (self.way.mode, self.way.negotiation) {
            (SslMode::Disable, _) => return Ok(false),
            (SslMode::Prefer, SslNegotiation::Direct) => {
                let why = "sslmode=prefer cannot be used with sslnegotiation=direct; write sslmode=require";
                return Err(io::Error::other(why));
            }
            (_, SslNegotiation::Direct) => return Ok(true),
            _ => {}
        }
        socket.write_all(&SSL_REQUEST).await?;
        match (socket.read_u8().await?, self.way.mode) {
            (b'S', _) => Ok(true),
            (_, SslMode::Prefer) => Ok(false),
            _ => Err(io::Error::other("server does not support TLS")),
        }
    }
}

const UNBOUND: &str = "channel_binding=require cannot be met: the server's certificate is signed in a way that names no hash function (Ed25519, for example). Give the server a certificate that is signed with RSA or ECDSA, or write channel_binding=prefer";

impl TlsConnect<Socket> for Handshake {
    type Stream = Tap<Transport>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, mut socket: Socket) -> Self::Future {
        Box::pin(async move {
            if !self.is_tls(&mut socket).await? {
                return Ok(Tap::new(Transport::Plain(socket)));
            }
            let name = ServerName::try_from(self.host).map_err(io::Error::other)?;
            let connector = TlsConnector::from(self.way.tls.config);
            let tls = Box::new(connector.connect(name, socket).await?);
            let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
            let end_point = certificates.first().and_then(|own| end_point(own));
            if self.way.tls.bound && end_point.is_none() {
                return Err(io::Error::other(UNBOUND));
            }
            Ok(Tap::new(Transport::Tls { tls, end_point }))
        })
    }
}

/// A connection over TCP, under TLS or not.
pub(super) enum Transport {
    Plain(Socket),
    Tls {
        tls: Box<tokio_rustls::client::TlsStream<Socket>>,
        end_point: Option<Vec<u8>>,
    },
}

impl TlsStream for Tap<Transport> {
    fn channel_binding(&self) -> ChannelBinding {
        match self.inner() {
            Transport::Tls {
                end_point: Some(hash),
                ..
            } => ChannelBinding::tls_server_end_point(hash.clone()),
            _ => ChannelBinding::none(),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls { tls, .. } => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls { tls, .. } => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls { tls, .. } => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls { tls, .. } => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
