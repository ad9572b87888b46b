//! The user-based security of SNMP version 3: keys, digests, ciphers, and how they stand in a message.
//!
//! RFC 3414 (MD5, SHA-1, DES), RFC 7860 (SHA-2), RFC 3826 (AES-128). AES-192 and AES-256 never became a standard;
//! two ways of making their long keys are in use, and both are here: [`PrivProtocol::Aes192`] as
//! draft-blumenthal-aes-usm has it, [`PrivProtocol::Aes192C`] as draft-reeder-snmpv3-usm-3desede, which Cisco took.
//!
//! Everything is a function of octets and keys; clocks, caches and sockets are the session's.

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use des::Des;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::ber::{self, Malformed, Reader, Writer};
use crate::message::{Scoped, Unit, V3, Version};
use crate::secret::Secret;

/// The digest that authenticates messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AuthProtocol {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Calls a macro with the hash type of a protocol.
macro_rules! with_hash {
    ($protocol:expr, $call:ident) => {
        match $protocol {
            AuthProtocol::Md5 => $call!(Md5),
            AuthProtocol::Sha1 => $call!(Sha1),
            AuthProtocol::Sha224 => $call!(Sha224),
            AuthProtocol::Sha256 => $call!(Sha256),
            AuthProtocol::Sha384 => $call!(Sha384),
            AuthProtocol::Sha512 => $call!(Sha512),
        }
    };
}

impl AuthProtocol {
    /// The protocols and their names in configuration files.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("MD5", Self::Md5),
        ("SHA", Self::Sha1),
        ("SHA224", Self::Sha224),
        ("SHA256", Self::Sha256),
        ("SHA384", Self::Sha384),
        ("SHA512", Self::Sha512),
    ];

    /// How many octets of the digest stand in a message.
    const fn digest_octets(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }

    fn hash(self, parts: &[&[u8]]) -> Vec<u8> {
        macro_rules! hash {
            ($hash:ty) => {{
                let mut hash = <$hash>::new();
                for part in parts {
                    hash.update(part);
                }
                hash.finalize().to_vec()
            }};
        }
        with_hash!(self, hash)
    }

    /// The hash of a million octets of the password again and again (RFC 3414, appendix A.2).
    fn password_key(self, password: &[u8]) -> Vec<u8> {
        const OCTETS: usize = 1 << 20;
        // A whole number of passwords that fills a few blocks of the hash at once.
        let piece = password.repeat((4096 / password.len().max(1)).max(1));
        macro_rules! hash {
            ($hash:ty) => {{
                let mut hash = <$hash>::new();
                let mut left = OCTETS;
                while left > 0 && !piece.is_empty() {
                    let now = piece.get(..left).unwrap_or(&piece);
                    hash.update(now);
                    left -= now.len();
                }
                hash.finalize().to_vec()
            }};
        }
        with_hash!(self, hash)
    }

    /// A key that is good for one engine only (RFC 3414, appendix A.2).
    fn localize(self, key: &[u8], engine: &[u8]) -> Vec<u8> {
        self.hash(&[key, engine, key])
    }

    /// The digest of a message that comes in parts.
    fn digest(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        macro_rules! digest {
            ($hash:ty) => {
                // An HMAC takes keys of any length, so there is always one.
                match <Hmac<$hash>>::new_from_slice(key) {
                    Ok(mut mac) => {
                        for part in parts {
                            mac.update(part);
                        }
                        mac.finalize().into_bytes().to_vec()
                    }
                    Err(_) => Vec::new(),
                }
            };
        }
        let mut digest: Vec<u8> = with_hash!(self, digest);
        digest.truncate(self.digest_octets());
        digest
    }
}

/// The cipher that hides messages, and how its key is made as long as it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum PrivProtocol {
    Des,
    Aes128,
    Aes192,
    Aes256,
    Aes192C,
    Aes256C,
}

impl PrivProtocol {
    /// The protocols and their names in configuration files.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("DES", Self::Des),
        ("AES", Self::Aes128),
        ("AES192", Self::Aes192),
        ("AES256", Self::Aes256),
        ("AES192C", Self::Aes192C),
        ("AES256C", Self::Aes256C),
    ];

    const fn key_octets(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16, // of DES: the key, and what the initial vector is made from
            Self::Aes192 | Self::Aes192C => 24,
            Self::Aes256 | Self::Aes256C => 32,
        }
    }

    /// A localized key of the length that the cipher needs.
    fn stretch(self, auth: AuthProtocol, mut key: Vec<u8>, engine: &[u8]) -> Vec<u8> {
        while key.len() < self.key_octets() {
            let more = match self {
                Self::Aes192C | Self::Aes256C => auth.localize(&auth.password_key(&key), engine),
                _ => auth.hash(&[&key]),
            };
            key.extend(more);
        }
        key.truncate(self.key_octets());
        key
    }
}

/// Who asks: a user's name and keys made of the passwords, before they are made for one engine.
///
/// Hashing the passwords takes milliseconds, so this is made once.
#[derive(Clone)]
pub struct User {
    name: Vec<u8>,
    auth: Option<(AuthProtocol, Vec<u8>)>,
    privacy: Option<(PrivProtocol, Vec<u8>)>,
}

impl User {
    /// A user with these passwords. Without authentication there is no privacy either.
    pub fn new(
        name: &str,
        auth: Option<(AuthProtocol, &Secret)>,
        privacy: Option<(PrivProtocol, &Secret)>,
    ) -> Self {
        let privacy = auth.and_then(|(hash, _)| {
            privacy.map(|(cipher, password)| (cipher, hash.password_key(password.expose().as_bytes())))
        });
        let auth = auth.map(|(hash, password)| (hash, hash.password_key(password.expose().as_bytes())));
        Self { name: name.as_bytes().to_vec(), auth, privacy }
    }

    /// The user's name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The user's keys for an engine.
    pub fn keys(&self, engine: &[u8]) -> Keys {
        let auth = self.auth.as_ref().map(|(hash, key)| (*hash, hash.localize(key, engine)));
        let privacy = match (&self.auth, &self.privacy) {
            (Some((hash, _)), Some((cipher, key))) => {
                Some((*cipher, cipher.stretch(*hash, hash.localize(key, engine), engine)))
            }
            _ => None,
        };
        Keys { auth, privacy }
    }

    /// The keys that a message was made with, if it is authentic. Those of ciphers can take milliseconds to make, so
    /// they are made once the digest is known to be the user's.
    pub fn keys_of(&self, octets: &[u8], message: &V3<'_>, from: &Parameters<'_>) -> Result<Keys, Refused> {
        let digest = self.auth.as_ref().map(|(hash, key)| (*hash, hash.localize(key, from.engine)));
        authenticate(octets, message, from, &Keys { auth: digest, privacy: None })?;
        Ok(self.keys(from.engine))
    }

    /// The flags of the user's messages.
    pub fn flags(&self) -> u8 {
        flags(self.auth.is_some(), self.privacy.is_some())
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &String::from_utf8_lossy(&self.name)).finish_non_exhaustive()
    }
}

/// A user's keys for one engine; none at all for messages without security.
#[derive(Clone, Default)]
pub struct Keys {
    auth: Option<(AuthProtocol, Vec<u8>)>,
    privacy: Option<(PrivProtocol, Vec<u8>)>,
}

impl Keys {
    /// The flags of messages under these keys.
    pub fn flags(&self) -> u8 {
        flags(self.auth.is_some(), self.privacy.is_some())
    }

    /// The same without those to encrypt with.
    #[must_use]
    pub fn without_privacy(&self) -> Self {
        Self { auth: self.auth.clone(), privacy: None }
    }
}

fn flags(authenticates: bool, encrypts: bool) -> u8 {
    let auth = if authenticates { V3::AUTH } else { 0 };
    let privacy = if encrypts { V3::PRIV } else { 0 };
    auth | privacy
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("flags", &self.flags()).finish_non_exhaustive()
    }
}

/// The security parameters of a message (RFC 3414, section 2.4).
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameters<'a> {
    /// The engine that is authoritative, that is the one asked.
    pub engine: &'a [u8],
    /// How often it started.
    pub boots: i32,
    /// The seconds since it started.
    pub time: i32,
    /// The user.
    pub user: &'a [u8],
    /// The digest, and where it stands in the message.
    digest: (&'a [u8], usize),
    /// What the cipher's initial vector is made from.
    salt: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// Parameters for a request.
    pub fn new(engine: &'a [u8], boots: i32, time: i32, user: &'a [u8]) -> Self {
        Self { engine, boots, time, user, digest: (&[], 0), salt: &[] }
    }

    /// Reads the parameters of a received message.
    pub fn read(mut security: Reader<'a>) -> Result<Self, Malformed> {
        let mut content = security.value(ber::SEQUENCE, "security parameters")?;
        let engine = content.octets("engine id")?;
        let boots = content.integer32("engine boots")?;
        let time = content.integer32("engine time")?;
        let user = content.octets("user name")?;
        let digest = content.value(ber::OCTET_STRING, "digest")?;
        let salt = content.octets("privacy parameters")?;
        Ok(Self { engine, boots, time, user, digest: (digest.rest(), digest.position()), salt })
    }
}

/// Writes a whole version 3 message: encrypted and authenticated as far as there are keys.
///
/// The variables are those of `context_engine`, or of the engine asked. `salt` must never be the same twice under one key.
pub fn seal(
    unit: &impl Unit,
    message_id: i32,
    context: &[u8],
    context_engine: Option<&[u8]>,
    to: &Parameters<'_>,
    keys: &Keys,
    salt: u64,
) -> Vec<u8> {
    /// The largest reply we take; a UDP datagram has no more octets.
    const LARGEST: i64 = 65_507;
    let mut scoped = Writer::new();
    scoped.within(ber::SEQUENCE, |out| {
        unit.write(out);
        out.octets(context);
        out.octets(context_engine.unwrap_or(to.engine));
    });
    let mut scoped = scoped.finish();
    let salt = match &keys.privacy {
        None => Vec::new(),
        Some((cipher, key)) => {
            let salt = match cipher {
                PrivProtocol::Des => [to.boots.to_be_bytes(), (salt as u32).to_be_bytes()].concat(),
                _ => salt.to_be_bytes().to_vec(),
            };
            encrypt(*cipher, key, to.boots, to.time, &salt, &mut scoped);
            salt
        }
    };
    let digest_octets = keys.auth.as_ref().map_or(0, |(hash, _)| hash.digest_octets());
    let mut digest_end = 0; // where the digest ends, counted from the end of the message
    let mut out = Writer::new();
    out.within(ber::SEQUENCE, |out| {
        if keys.privacy.is_some() {
            out.octets(&scoped);
        } else {
            out.raw(&scoped);
        }
        out.within(ber::OCTET_STRING, |out| {
            out.within(ber::SEQUENCE, |out| {
                out.octets(&salt);
                digest_end = out.len();
                out.octets(&vec![0; digest_octets]);
                out.octets(to.user);
                out.integer(i64::from(to.time));
                out.integer(i64::from(to.boots));
                out.octets(to.engine);
            });
        });
        out.within(ber::SEQUENCE, |out| {
            out.integer(3); // the user-based security model
            out.octets(&[keys.flags() | if unit.kind().wants_answer() { V3::REPORTABLE } else { 0 }]);
            out.integer(LARGEST);
            out.integer(i64::from(message_id));
        });
        out.integer(Version::V3.number());
    });
    let mut message = out.finish();
    if let Some((hash, key)) = &keys.auth {
        let digest = hash.digest(key, &[&message]);
        let begin = message.len().saturating_sub(digest_end + digest_octets);
        if let Some(place) = message.get_mut(begin..begin + digest.len()) {
            place.copy_from_slice(&digest);
        }
    }
    message
}

/// Why a version 3 message was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not what a message should be.
    Malformed(Malformed),
    /// It is authenticated or encrypted, and there is no such key.
    NoKey,
    /// The digest is not that of the message.
    WrongDigest,
    /// The plain text makes no sense; the privacy keys differ.
    WrongCipherKey,
}

impl From<Malformed> for Refused {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Checks the digest of a message, decrypts it into `plain` and reads what is in it.
///
/// The caller compares flags, engine, user and time with what it expects.
pub fn open<'a>(
    octets: &[u8],
    message: &V3<'a>,
    from: &Parameters<'_>,
    keys: &Keys,
    plain: &'a mut Vec<u8>,
) -> Result<Scoped<'a>, Refused> {
    authenticate(octets, message, from, keys)?;
    let mut data = message.data;
    if message.flags & V3::PRIV == 0 {
        return Ok(Scoped::read(&mut data)?);
    }
    if message.flags & V3::AUTH == 0 {
        return Err(Refused::NoKey); // there is no privacy without authentication
    }
    let (cipher, key) = keys.privacy.as_ref().ok_or(Refused::NoKey)?;
    plain.clear();
    plain.extend_from_slice(data.octets("encrypted data unit")?);
    decrypt(*cipher, key, from, plain).ok_or(Refused::WrongCipherKey)?;
    Scoped::read(&mut Reader::new(plain)).map_err(|_| Refused::WrongCipherKey)
}

/// Checks the digest of a message that has one.
fn authenticate(octets: &[u8], message: &V3<'_>, from: &Parameters<'_>, keys: &Keys) -> Result<(), Refused> {
    if message.flags & V3::AUTH == 0 {
        return Ok(());
    }
    let (hash, key) = keys.auth.as_ref().ok_or(Refused::NoKey)?;
    // What the sender hashed had zeros in the place of the digest; octets after the message are not hashed.
    let (digest, begin) = from.digest;
    let end = begin + digest.len();
    let length = message.data.position() + message.data.rest().len();
    let (before, after) = match (octets.get(..begin), octets.get(end..length)) {
        (Some(before), Some(after)) if digest.len() == hash.digest_octets() => (before, after),
        _ => return Err(Refused::WrongDigest),
    };
    let zeros = vec![0; digest.len()];
    if same(&hash.digest(key, &[before, &zeros, after]), digest) { Ok(()) } else { Err(Refused::WrongDigest) }
}

/// Whether both are equal, in a time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Calls a macro with the cipher type of a protocol that is not DES.
macro_rules! with_aes {
    ($protocol:expr, $mode:ident, $method:ident, $key:expr, $vector:expr, $data:expr) => {
        match $protocol {
            PrivProtocol::Des => None,
            PrivProtocol::Aes128 => {
                cfb_mode::$mode::<Aes128>::new_from_slices($key, $vector).ok().map(|c| c.$method($data))
            }
            PrivProtocol::Aes192 | PrivProtocol::Aes192C => {
                cfb_mode::$mode::<Aes192>::new_from_slices($key, $vector).ok().map(|c| c.$method($data))
            }
            PrivProtocol::Aes256 | PrivProtocol::Aes256C => {
                cfb_mode::$mode::<Aes256>::new_from_slices($key, $vector).ok().map(|c| c.$method($data))
            }
        }
    };
}

fn encrypt(cipher: PrivProtocol, key: &[u8], boots: i32, time: i32, salt: &[u8], data: &mut Vec<u8>) {
    if cipher == PrivProtocol::Des {
        data.resize(data.len().next_multiple_of(8), 0);
        let length = data.len();
        if let Some((key, vector)) = des_key_and_vector(key, salt)
            && let Ok(cipher) = cbc::Encryptor::<Des>::new_from_slices(key, &vector)
        {
            let done = cipher.encrypt_padded::<NoPadding>(data, length);
            debug_assert!(done.is_ok(), "the data is whole blocks");
        }
        return;
    }
    let done = with_aes!(cipher, Encryptor, encrypt, key, &aes_vector(boots, time, salt), data);
    debug_assert!(done.is_some(), "the key has been stretched to the cipher's length");
}

fn decrypt(cipher: PrivProtocol, key: &[u8], from: &Parameters<'_>, data: &mut [u8]) -> Option<()> {
    if from.salt.len() != 8 {
        return None;
    }
    if cipher == PrivProtocol::Des {
        let (key, vector) = des_key_and_vector(key, from.salt)?;
        let cipher = cbc::Decryptor::<Des>::new_from_slices(key, &vector).ok()?;
        return cipher.decrypt_padded::<NoPadding>(data).ok().map(|_| ());
    }
    with_aes!(cipher, Decryptor, decrypt, key, &aes_vector(from.boots, from.time, from.salt), data)
}

/// RFC 3414, section 8.1.1.1.
fn des_key_and_vector<'k>(key: &'k [u8], salt: &[u8]) -> Option<(&'k [u8], Vec<u8>)> {
    let (key, vector) = key.split_at_checked(8)?;
    Some((key, vector.iter().zip(salt).map(|(vector, salt)| vector ^ salt).collect()))
}

/// RFC 3826, section 3.1.2.1.
fn aes_vector(boots: i32, time: i32, salt: &[u8]) -> Vec<u8> {
    [&boots.to_be_bytes(), &time.to_be_bytes(), salt].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Message, PduKind, Request};
    use quickcheck::quickcheck;

    const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    fn hex(octets: &[u8]) -> String {
        octets.iter().fold(String::new(), |out, octet| out + &format!("{octet:02x}"))
    }

    #[test]
    fn keys_are_those_of_the_rfc() {
        // RFC 3414, appendices A.3.1 and A.3.2; the password is "maplesyrup".
        for (protocol, key, localized) in [
            (AuthProtocol::Md5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
            (
                AuthProtocol::Sha1,
                "9fb5cc0381497b3793528939ff788d5d79145211",
                "6695febc9288e36282235fc7151f128497b38f3f",
            ),
        ] {
            let master = protocol.password_key(b"maplesyrup");
            assert_eq!(hex(&master), key);
            assert_eq!(hex(&protocol.localize(&master, &ENGINE)), localized);
        }
    }

    #[test]
    fn long_keys_are_made_both_ways() {
        // draft-reeder-snmpv3-usm-3desede, appendix B: the second half of the same user's key.
        let key = |hash: AuthProtocol, cipher: PrivProtocol| {
            cipher.stretch(hash, hash.localize(&hash.password_key(b"maplesyrup"), &ENGINE), &ENGINE)
        };
        assert_eq!(
            hex(&key(AuthProtocol::Md5, PrivProtocol::Aes256C)),
            "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12"
        );
        assert_eq!(
            hex(&key(AuthProtocol::Sha1, PrivProtocol::Aes256C)),
            "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c"
        );
        let local = AuthProtocol::Md5.localize(&AuthProtocol::Md5.password_key(b"maplesyrup"), &ENGINE);
        let blumenthal = key(AuthProtocol::Md5, PrivProtocol::Aes256);
        assert_eq!(blumenthal, [local.clone(), AuthProtocol::Md5.hash(&[&local])].concat());
    }

    #[test]
    fn short_passwords_are_repeated_and_long_ones_cut() {
        let naive = |password: &[u8]| {
            let octets: Vec<u8> = password.iter().copied().cycle().take(1 << 20).collect();
            AuthProtocol::Sha256.hash(&[&octets])
        };
        for password in [&b"x"[..], b"maplesyrup", &[7; 4097], &vec![3; (1 << 20) + 5]] {
            assert_eq!(AuthProtocol::Sha256.password_key(password), naive(password));
        }
    }

    fn request_through(user: &User, damage: Option<usize>) -> Result<i32, Refused> {
        let keys = user.keys(&ENGINE);
        let names: [&[u32]; 1] = [&[1, 3, 6, 1, 2, 1, 1]];
        let request = Request { kind: PduKind::GetNext, id: 77, repetitions: 0, names: &names };
        let to = Parameters::new(&ENGINE, 3, 1000, user.name());
        let mut octets = seal(&request, 42, b"ctx", None, &to, &keys, 0x0102_0304_0506_0708);
        if let Some(octet) = damage.and_then(|at| octets.get_mut(at)) {
            *octet ^= 1;
        }
        octets.push(0xde); // what comes after a message does not count
        let message = match Message::read(&octets)? {
            Message::V3(message) => message,
            Message::Community { .. } => return Err(Refused::NoKey),
        };
        let from = Parameters::read(message.security)?;
        let mut plain = Vec::new();
        let scoped = open(&octets, &message, &from, &keys, &mut plain)?;
        assert_eq!((scoped.engine, scoped.context), (&ENGINE[..], &b"ctx"[..]));
        assert_eq!((message.id, from.user, from.boots, from.time), (42, user.name(), 3, 1000));
        Ok(scoped.pdu.id)
    }

    #[test]
    fn every_protocol_opens_what_it_sealed() {
        let (secret, other) = (Secret::new("a long password"), Secret::new("another password"));
        assert_eq!(request_through(&User::new("u", None, Some((PrivProtocol::Des, &other))), None), Ok(77));
        for (_, hash) in AuthProtocol::NAMES {
            let auth = Some((hash, &secret));
            assert_eq!(request_through(&User::new("u", auth, None), None), Ok(77));
            for (name, cipher) in PrivProtocol::NAMES {
                let user = User::new("u", auth, Some((cipher, &other)));
                assert_eq!(request_through(&user, None), Ok(77), "{hash:?} {name}");
            }
        }
    }

    #[test]
    fn a_changed_octet_is_noticed() {
        let secret = Secret::new("a long password");
        let user =
            User::new("u", Some((AuthProtocol::Sha256, &secret)), Some((PrivProtocol::Aes128, &secret)));
        for at in 0..130 {
            assert!(request_through(&user, Some(at)).is_err(), "octet {at}");
        }
        assert_eq!(request_through(&user, Some(129)), Err(Refused::WrongDigest), "in the cipher text");
    }

    #[test]
    fn keys_of_others_open_nothing() {
        let (mine, other) = (Secret::new("a long password"), Secret::new("another password"));
        let (auth, cipher) = (AuthProtocol::Sha1, PrivProtocol::Aes128);
        let keys = |auth_password: &Secret, password: &Secret| {
            User::new("u", Some((auth, auth_password)), Some((cipher, password))).keys(&ENGINE)
        };
        let names: [&[u32]; 1] = [&[1, 3]];
        let request = Request { kind: PduKind::Get, id: 1, repetitions: 0, names: &names };
        let octets =
            seal(&request, 1, b"", None, &Parameters::new(&ENGINE, 0, 0, b"u"), &keys(&mine, &mine), 1);
        let Ok(Message::V3(message)) = Message::read(&octets) else { panic!("a message") };
        let from = Parameters::read(message.security).unwrap();
        let refused = |keys: &Keys| open(&octets, &message, &from, keys, &mut Vec::new()).err();
        assert_eq!(refused(&keys(&mine, &mine)), None);
        assert_eq!(refused(&keys(&other, &mine)), Some(Refused::WrongDigest));
        assert_eq!(refused(&keys(&mine, &other)), Some(Refused::WrongCipherKey));
        assert_eq!(refused(&Keys::default()), Some(Refused::NoKey));
    }

    #[test]
    fn secrets_do_not_show() {
        let secret = Secret::new("hunter2hunter2");
        let user = User::new("u", Some((AuthProtocol::Md5, &secret)), None);
        assert_eq!(format!("{user:?}"), r#"User { name: "u", .. }"#);
        assert_eq!(format!("{:?}", user.keys(&ENGINE)), "Keys { flags: 1, .. }");
    }

    quickcheck! {
        fn any_octets_are_refused_or_opened(octets: Vec<u8>) -> bool {
            if let Ok(Message::V3(message)) = Message::read(&octets)
                && let Ok(from) = Parameters::read(message.security)
            {
                let _ = open(&octets, &message, &from, &Keys::default(), &mut Vec::new());
            }
            true
        }
    }
}
