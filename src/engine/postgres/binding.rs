//! What a password is bound to: the hash of the server's certificate, `tls-server-end-point` of RFC 5929. Pure.
//!
//! The hash function is that of the certificate's signature, MD5 and SHA-1 replaced by SHA-256. The server takes
//! the same over the certificate that it has; somebody between has another.
//!
//! A signature without a hash function (Ed25519) leaves nothing that both sides would agree on: nothing is bound to such
//! a certificate, and who wants to be sure verifies it, or says `channel_binding=require`.

use der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier};
use der::{Decode, Reader, TagNumber};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// RSA with the hash in the parameters.
const RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// By the object that names a signature, or a hash alone.
const HASHES: &[(ObjectIdentifier, Hash)] = &[
    (oid("1.2.840.113549.1.1.4"), Hash::Sha256), // md5WithRSAEncryption
    (oid("1.2.840.113549.1.1.5"), Hash::Sha256), // sha1WithRSAEncryption
    (oid("1.2.840.113549.1.1.14"), Hash::Sha224), // sha224WithRSAEncryption
    (oid("1.2.840.113549.1.1.11"), Hash::Sha256), // sha256WithRSAEncryption
    (oid("1.2.840.113549.1.1.12"), Hash::Sha384), // sha384WithRSAEncryption
    (oid("1.2.840.113549.1.1.13"), Hash::Sha512), // sha512WithRSAEncryption
    (oid("1.2.840.10045.4.1"), Hash::Sha256),    // ecdsa-with-SHA1
    (oid("1.2.840.10045.4.3.1"), Hash::Sha224),  // ecdsa-with-SHA224
    (oid("1.2.840.10045.4.3.2"), Hash::Sha256),  // ecdsa-with-SHA256
    (oid("1.2.840.10045.4.3.3"), Hash::Sha384),  // ecdsa-with-SHA384
    (oid("1.2.840.10045.4.3.4"), Hash::Sha512),  // ecdsa-with-SHA512
    (oid("1.2.840.113549.2.5"), Hash::Sha256),   // md5
    (oid("1.3.14.3.2.26"), Hash::Sha256),        // sha1
    (oid("2.16.840.1.101.3.4.2.4"), Hash::Sha224), // sha224
    (oid("2.16.840.1.101.3.4.2.1"), Hash::Sha256), // sha256
    (oid("2.16.840.1.101.3.4.2.2"), Hash::Sha384), // sha384
    (oid("2.16.840.1.101.3.4.2.3"), Hash::Sha512), // sha512
];

/// What a password is bound to. None: the signature has no hash function, for which the binding is not defined.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match hash_of(certificate).ok()?? {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

fn hash_of(certificate: &[u8]) -> der::Result<Option<Hash>> {
    AnyRef::from_der(certificate)?.sequence(|parts| {
        let _what_is_signed = AnyRef::decode(parts)?;
        let (signature, parameters) = algorithm(AnyRef::decode(parts)?)?;
        let _signed = AnyRef::decode(parts)?;
        match parameters {
            _ if signature != RSASSA_PSS => Ok(named(signature)),
            Some(parameters) => of_pss(parameters),
            None => Ok(None),
        }
    })
}

fn named(object: ObjectIdentifier) -> Option<Hash> {
    let found = HASHES.iter().find(|(known, _)| *known == object);
    found.map(|(_, hash)| *hash)
}

/// The hash that PSS is given; SHA-1 if none is.
fn of_pss(parameters: AnyRef<'_>) -> der::Result<Option<Hash>> {
    parameters.sequence(|parts| {
        let given = ContextSpecific::<AnyRef<'_>>::decode_explicit(parts, TagNumber(0))?;
        parts.read_slice(parts.remaining_len())?;
        match given {
            Some(given) => Ok(named(algorithm(given.value)?.0)),
            None => Ok(Some(Hash::Sha256)),
        }
    })
}

/// An algorithm's name and its parameters.
fn algorithm(identifier: AnyRef<'_>) -> der::Result<(ObjectIdentifier, Option<AnyRef<'_>>)> {
    identifier.sequence(|parts| {
        let object = ObjectIdentifier::decode(parts)?;
        let parameters = if parts.is_finished() {
            None
        } else {
            Some(AnyRef::decode(parts)?)
        };
        Ok((object, parameters))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of DER, up to 127 bytes.
    fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let length = u8::try_from(body.len()).unwrap();
        assert!(length < 128);
        [vec![tag, length], body].concat()
    }

    fn object(text: &str) -> Vec<u8> {
        value(6, &[oid(text).as_bytes()])
    }

    /// A certificate as far as it is read: what is signed, with what, and the signature.
    fn certificate(algorithm: &[&[u8]]) -> Vec<u8> {
        let signature = value(0x30, algorithm);
        value(
            0x30,
            &[&value(0x30, &[b"\x02\x01\x07"]), &signature, &[3, 2, 0, 9]],
        )
    }

    /// The length of the hash, which tells which one it is.
    fn bytes(algorithm: &[&[u8]]) -> Option<usize> {
        let certificate = certificate(algorithm);
        let hash = end_point(&certificate);
        if let Some(hash) = hash.as_ref().filter(|hash| hash.len() == 32) {
            assert_eq!(hash[..], Sha256::digest(&certificate)[..]);
        }
        hash.map(|hash| hash.len())
    }

    #[test]
    fn the_hash_is_that_of_the_signature_and_an_old_one_is_replaced() {
        let null: &[u8] = &[5, 0];
        for (text, expected) in [
            ("1.2.840.113549.1.1.4", Some(32)),
            ("1.2.840.113549.1.1.5", Some(32)),
            ("1.2.840.113549.1.1.11", Some(32)),
            ("1.2.840.113549.1.1.12", Some(48)),
            ("1.2.840.113549.1.1.13", Some(64)),
            ("1.2.840.113549.1.1.14", Some(28)),
            ("1.2.840.10045.4.1", Some(32)),
            ("1.2.840.10045.4.3.1", Some(28)),
            ("1.2.840.10045.4.3.2", Some(32)),
            ("1.2.840.10045.4.3.3", Some(48)),
            ("1.2.840.10045.4.3.4", Some(64)),
            // Ed25519, Ed448, and one that nobody knows.
            ("1.3.101.112", None),
            ("1.3.101.113", None),
            ("1.2.3.4", None),
        ] {
            let object = object(text);
            assert_eq!(bytes(&[&object]), expected, "{text}");
            assert_eq!(bytes(&[&object, null]), expected, "{text}");
        }
    }

    #[test]
    fn pss_says_its_hash_in_its_parameters() {
        let pss = object("1.2.840.113549.1.1.10");
        let with = |hash: &str| {
            let hash = value(0x30, &[&object(hash), &[5, 0]]);
            let given = value(0xa0, &[&hash]);
            let salt = value(0xa2, &[&[2, 1, 48]]);
            bytes(&[&pss, &value(0x30, &[&given, &salt])])
        };
        assert_eq!(with("2.16.840.1.101.3.4.2.1"), Some(32));
        assert_eq!(with("2.16.840.1.101.3.4.2.2"), Some(48));
        assert_eq!(with("2.16.840.1.101.3.4.2.3"), Some(64));
        assert_eq!(with("1.3.14.3.2.26"), Some(32));
        assert_eq!(with("1.2.3"), None);
        assert_eq!(
            bytes(&[&pss, &value(0x30, &[])]),
            Some(32),
            "SHA-1 unless told"
        );
        assert_eq!(bytes(&[&pss]), None);
    }

    #[test]
    fn what_is_no_certificate_has_no_hash() {
        let whole = certificate(&[&object("1.2.840.113549.1.1.11")]);
        for length in 0..whole.len() {
            assert_eq!(end_point(&whole[..length]), None);
        }
        assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
