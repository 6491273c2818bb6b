//! The user-based security model: keys (RFC 3414 A.2), HMAC (RFC 3414, 7860) and AES (RFC 3826, and 192/256 bits in both
//! key extensions that are in use).
//!
//! Never here: engine state, user names, a decision. Passwords and keys are never printed; a tag is compared in constant time.

use aes::{Aes128, Aes192, Aes256};
use cfb_mode::cipher::KeyIvInit;
use cfb_mode::{Decryptor, Encryptor};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use std::ops::Range;

/// Octets that a password is stretched to before it is hashed.
const STRETCHED: usize = 1 << 20;

/// Authentication protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Auth {
    /// usmHMACSHAAuthProtocol (RFC 3414).
    Sha1,
    /// usmHMAC128SHA224AuthProtocol (RFC 7860).
    Sha224,
    /// usmHMAC192SHA256AuthProtocol.
    Sha256,
    /// usmHMAC256SHA384AuthProtocol.
    Sha384,
    /// usmHMAC384SHA512AuthProtocol.
    Sha512,
}

/// Privacy protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Privacy {
    /// usmAesCfb128Protocol (RFC 3826).
    Aes128,
    /// 192 bits, key extended as in draft-blumenthal-aes-usm-04 section 3.1.2.1.
    Aes192,
    /// 256 bits, likewise.
    Aes256,
    /// 192 bits, key extended as in draft-reeder-snmpv3-usm-3desede-00 section 2.1 (as Cisco ships it).
    Aes192c,
    /// 256 bits, likewise.
    Aes256c,
}

/// What a password gives before any engine is known (Ku): costs a hash over 1 MiB, so it is made once per user.
#[derive(Clone)]
pub struct MasterKey {
    auth: Auth,
    key: Vec<u8>,
}

/// A localised authentication key (Kul).
#[derive(Clone)]
pub struct AuthKey {
    auth: Auth,
    key: Vec<u8>,
}

/// A localised privacy key.
#[derive(Clone)]
pub struct PrivacyKey {
    privacy: Privacy,
    key: Vec<u8>,
}

/// Calls a generic function with the hash of an [`Auth`].
macro_rules! with_hash {
    ($auth:expr, $f:ident($($arg:expr),*)) => {
        match $auth {
            Auth::Sha1 => $f::<Sha1>($($arg),*),
            Auth::Sha224 => $f::<Sha224>($($arg),*),
            Auth::Sha256 => $f::<Sha256>($($arg),*),
            Auth::Sha384 => $f::<Sha384>($($arg),*),
            Auth::Sha512 => $f::<Sha512>($($arg),*),
        }
    };
}

impl MasterKey {
    /// RFC 3414 A.2. `None` for an empty password, which cannot be stretched.
    pub fn from_password(auth: Auth, password: &[u8]) -> Option<MasterKey> {
        let key = (!password.is_empty()).then(|| with_hash!(auth, stretch(password)))?;
        Some(MasterKey { auth, key })
    }

    /// The key of one engine (RFC 3414 A.2).
    fn localized(&self, engine_id: &[u8]) -> Vec<u8> {
        with_hash!(self.auth, digest(&[&self.key, engine_id, &self.key]))
    }

    /// The authentication key of one engine.
    pub fn auth_key(&self, engine_id: &[u8]) -> AuthKey {
        AuthKey {
            auth: self.auth,
            key: self.localized(engine_id),
        }
    }

    /// The privacy key of one engine, extended where the hash is shorter than the key.
    pub fn privacy_key(&self, privacy: Privacy, engine_id: &[u8]) -> PrivacyKey {
        let mut key = self.localized(engine_id);
        while key.len() < privacy.key_len() {
            let more = if privacy.extends_by_password() {
                let master = MasterKey {
                    auth: self.auth,
                    key: with_hash!(self.auth, stretch(&key)),
                };
                master.localized(engine_id)
            } else {
                with_hash!(self.auth, digest(&[&key]))
            };
            key.extend_from_slice(&more);
        }
        key.truncate(privacy.key_len());
        PrivacyKey { privacy, key }
    }
}

impl Auth {
    /// Octets of the tag on the wire.
    pub fn tag_len(self) -> usize {
        match self {
            Auth::Sha1 => 12,
            Auth::Sha224 => 16,
            Auth::Sha256 => 24,
            Auth::Sha384 => 32,
            Auth::Sha512 => 48,
        }
    }
}

impl Privacy {
    fn key_len(self) -> usize {
        match self {
            Privacy::Aes128 => 16,
            Privacy::Aes192 | Privacy::Aes192c => 24,
            Privacy::Aes256 | Privacy::Aes256c => 32,
        }
    }

    fn extends_by_password(self) -> bool {
        matches!(self, Privacy::Aes192c | Privacy::Aes256c)
    }
}

impl AuthKey {
    /// Octets of the tag on the wire.
    pub fn tag_len(&self) -> usize {
        self.auth.tag_len()
    }

    /// The whole HMAC of a message whose tag is zero; the first [`AuthKey::tag_len`] octets go on the wire.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        with_hash_mac(self.auth, &self.key, &[message], None).unwrap_or_default()
    }

    /// Is the tag that stands at `at` the right one? Compared in constant time; a tag of another length is wrong.
    pub fn verify(&self, message: &[u8], at: Range<usize>) -> bool {
        let (Some(before), Some(tag), Some(after)) =
            (message.get(..at.start), message.get(at.clone()), message.get(at.end..))
        else {
            return false;
        };
        let zeros = [0u8; 48];
        if tag.len() != self.tag_len() {
            return false;
        }
        with_hash_mac(self.auth, &self.key, &[before, &zeros[..tag.len()], after], Some(tag)).is_some()
    }
}

impl PrivacyKey {
    /// Encrypts in place (RFC 3826 section 3.1.4). `salt` must not repeat for one key, boot and second.
    pub fn encrypt(&self, boots: u32, time: u32, salt: u64, data: &mut [u8]) {
        let iv = iv(boots, time, salt);
        // The key has the length of its cipher by construction, so none of these constructors can fail.
        match self.key.len() {
            16 => drop(Encryptor::<Aes128>::new_from_slices(&self.key, &iv).map(|c| c.encrypt(data))),
            24 => drop(Encryptor::<Aes192>::new_from_slices(&self.key, &iv).map(|c| c.encrypt(data))),
            _ => drop(Encryptor::<Aes256>::new_from_slices(&self.key, &iv).map(|c| c.encrypt(data))),
        }
    }

    /// Decrypts with the boots and time of the message; `None` if its privacy parameters are not 8 octets.
    pub fn decrypt(&self, boots: u32, time: u32, privacy_params: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        let salt = u64::from_be_bytes(privacy_params.try_into().ok()?);
        let iv = iv(boots, time, salt);
        let mut out = data.to_vec();
        match self.key.len() {
            16 => Decryptor::<Aes128>::new_from_slices(&self.key, &iv)
                .ok()?
                .decrypt(&mut out),
            24 => Decryptor::<Aes192>::new_from_slices(&self.key, &iv)
                .ok()?
                .decrypt(&mut out),
            _ => Decryptor::<Aes256>::new_from_slices(&self.key, &iv)
                .ok()?
                .decrypt(&mut out),
        }
        Some(out)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({:?}, <secret>)", self.auth)
    }
}

impl std::fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuthKey({:?}, <secret>)", self.auth)
    }
}

impl std::fmt::Debug for PrivacyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivacyKey({:?}, <secret>)", self.privacy)
    }
}

/// RFC 3826 section 3.1.2.1: engine boots, engine time, salt.
fn iv(boots: u32, time: u32, salt: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..4].copy_from_slice(&boots.to_be_bytes());
    iv[4..8].copy_from_slice(&time.to_be_bytes());
    iv[8..].copy_from_slice(&salt.to_be_bytes());
    iv
}

fn stretch<D: Digest>(password: &[u8]) -> Vec<u8> {
    // Whole repetitions in one piece of some thousand octets; the last piece is cut to make exactly 1 MiB.
    let piece = password.repeat(4096 / password.len() + 1);
    let mut hash = D::new();
    let mut left = STRETCHED;
    while left > 0 {
        let take = left.min(piece.len());
        hash.update(&piece[..take]);
        left -= take;
    }
    hash.finalize().to_vec()
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The HMAC over these parts; with a tag to compare with, `None` if it is another.
fn with_hash_mac(auth: Auth, key: &[u8], parts: &[&[u8]], tag: Option<&[u8]>) -> Option<Vec<u8>> {
    match auth {
        Auth::Sha1 => mac::<Hmac<Sha1>>(key, parts, tag),
        Auth::Sha224 => mac::<Hmac<Sha224>>(key, parts, tag),
        Auth::Sha256 => mac::<Hmac<Sha256>>(key, parts, tag),
        Auth::Sha384 => mac::<Hmac<Sha384>>(key, parts, tag),
        Auth::Sha512 => mac::<Hmac<Sha512>>(key, parts, tag),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    match tag {
        None => Some(mac.finalize().into_bytes().to_vec()),
        Some(tag) => mac.verify_truncated_left(tag).ok().map(|()| Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    /// RFC 3414 A.3.2.
    #[test]
    fn key_of_rfc_3414() {
        let master = MasterKey::from_password(Auth::Sha1, b"maplesyrup").unwrap();
        assert_eq!(master.key, hex("9fb5cc0381497b3793528939ff788d5d79145211"));
        assert_eq!(
            master.auth_key(&ENGINE).key,
            hex("6695febc9288e36282235fc7151f128497b38f3f")
        );
        // The key extension does not touch the first octets.
        assert_eq!(
            master.privacy_key(Privacy::Aes128, &ENGINE).key,
            hex("6695febc9288e36282235fc7151f1284")
        );
    }

    #[test]
    fn extended_keys_begin_with_the_short_one_and_differ_by_kind() {
        let master = MasterKey::from_password(Auth::Sha1, b"maplesyrup").unwrap();
        let short = master.auth_key(&ENGINE).key;
        let (a, c) = (
            master.privacy_key(Privacy::Aes256, &ENGINE).key,
            master.privacy_key(Privacy::Aes256c, &ENGINE).key,
        );
        assert_eq!((a.len(), c.len()), (32, 32));
        assert!(a.starts_with(&short) && c.starts_with(&short) && a != c);
        assert_eq!(a[20..], digest::<Sha1>(&[&short])[..12]);
        // A hash that is long enough is not extended: both kinds agree.
        let long = MasterKey::from_password(Auth::Sha256, b"maplesyrup").unwrap();
        assert_eq!(
            long.privacy_key(Privacy::Aes256, &ENGINE).key,
            long.privacy_key(Privacy::Aes256c, &ENGINE).key
        );
    }

    #[test]
    fn an_empty_password_is_no_key() {
        assert!(MasterKey::from_password(Auth::Sha1, b"").is_none());
    }

    /// RFC 7860 has no key vectors; RFC 4231 test case 1 holds the HMACs, truncated as RFC 7860 says.
    #[test]
    fn tags_are_those_of_rfc_4231() {
        for (auth, tag) in [
            (Auth::Sha224, "896fb1128abbdf196832107cd49df33f"),
            (Auth::Sha256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7"),
            (
                Auth::Sha384,
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c",
            ),
            (
                Auth::Sha512,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
                 daa833b7d6b8a702038b274eaea3f4e4",
            ),
        ] {
            let key = AuthKey {
                auth,
                key: vec![0x0b; 20],
            };
            assert_eq!(key.sign(b"Hi There")[..key.tag_len()], hex(tag), "{auth:?}");
            assert_eq!(key.tag_len(), hex(tag).len());
        }
    }

    #[test]
    fn a_tag_is_verified_in_its_place() {
        let key = AuthKey {
            auth: Auth::Sha1,
            key: vec![1; 20],
        };
        let mut message = vec![7; 40];
        message[10..22].fill(0);
        let tag = key.sign(&message);
        message[10..22].copy_from_slice(&tag[..12]);
        assert!(key.verify(&message, 10..22));
        for i in 0..message.len() {
            let mut bad = message.clone();
            bad[i] ^= 1;
            assert!(!key.verify(&bad, 10..22), "octet {i}");
        }
        assert!(!key.verify(&message, 10..21), "shortened");
        assert!(!key.verify(&message, 40..52), "outside");
        assert!(!key.verify(&message, 10..10), "empty");
    }

    /// AES-128-CFB as RFC 3826 uses it, against NIST SP 800-38A F.3.13 and the cipher's own first block.
    #[test]
    fn cfb_is_that_of_sp_800_38a() {
        let iv_bytes = hex("000102030405060708090a0b0c0d0e0f");
        let (boots, time) = (0x0001_0203, 0x0405_0607);
        let salt = u64::from_be_bytes(iv_bytes[8..].try_into().unwrap());
        assert_eq!(iv(boots, time, salt).to_vec(), iv_bytes);
        for (privacy, key, cipher) in [
            (
                Privacy::Aes128,
                "2b7e151628aed2a6abf7158809cf4f3c",
                "3b3fd92eb72dad20333449f8e83cfb4a",
            ),
            (
                Privacy::Aes192,
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "cdc80d6fddf18cab34c25909c99a4174",
            ),
            (
                Privacy::Aes256,
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "dc7e84bfda79164b7ecd8486985d3860",
            ),
        ] {
            let key = PrivacyKey { privacy, key: hex(key) };
            let plain = hex("6bc1bee22e409f96e93d7e117393172a");
            let mut data = plain.clone();
            key.encrypt(boots, time, salt, &mut data);
            assert_eq!(data, hex(cipher));
            assert_eq!(key.decrypt(boots, time, &salt.to_be_bytes(), &data), Some(plain));
            assert_eq!(key.decrypt(boots, time, &[1; 7], &data), None);
        }
    }
}
