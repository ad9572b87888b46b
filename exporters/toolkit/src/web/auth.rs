//! Basic authentication that tells nothing: not by time, not by what it keeps.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use openmetrics::http::{Response, reply};
use ring::hmac;
use tokio::sync::Semaphore;

use super::config::Users;
use super::place::Mistake;
use super::secret::Secret;

/// How many right passwords are remembered, so that they are hashed once.
const REMEMBERED: usize = 256;
/// How many passwords may wait to be hashed; one is hashed at a time, and not on the event loop's thread.
const WAITING: usize = 32;
/// How many wrong passwords an address has before it is slowed down to [`AFTERWARDS`]. Enough for a misconfigured
/// scraper to be noticed and mended.
const WRONG: f64 = 100.0;
/// One try for each of these, once the allowance is used up.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// How many addresses are remembered for their wrong passwords; the one that was idle longest is forgotten first.
const ADDRESSES: usize = 4096;

/// The users of a configuration, and what is known of their passwords.
pub(crate) struct Auth {
    users: BTreeMap<String, Secret>,
    /// Hashes to spend time on for users that are not there: any of these, always the same for a name.
    costs: Vec<Secret>,
    digest: hmac::Key,
    right: Mutex<HashSet<[u8; 32]>>,
    hashing: Arc<Semaphore>,
    waiting: Semaphore,
    wrong: Mutex<HashMap<IpAddr, Allowance>>,
}

struct Allowance {
    left: f64,
    since: Instant,
}

impl Auth {
    /// `None` if there are no users; an error if a hash is none.
    pub(crate) fn new(users: &Users) -> Result<Option<Self>, Mistake> {
        for (user, hash) in &users.0 {
            check_hash(hash.reveal())
                .map_err(|error| hash.mistake(format!("basic_auth_users: {user}: {error}")))?;
        }
        if users.0.is_empty() {
            return Ok(None);
        }
        let random = ring::rand::SystemRandom::new();
        let digest = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| Mistake::from("the system has no random numbers to give"))?;
        Ok(Some(Self {
            costs: users.0.values().map(|hash| Secret::clone(hash)).collect(),
            users: users.0.iter().map(|(user, hash)| (user.clone(), Secret::clone(hash))).collect(),
            digest,
            right: Mutex::default(),
            hashing: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(WAITING),
            wrong: Mutex::default(),
        }))
    }

    /// Whether the request may pass; if not, its answer.
    pub(crate) async fn check(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<(), Response> {
        let Some((user, password)) = credentials(headers) else { return Err(unauthorized()) };
        let known = self.users.get(&user);
        // An unknown user costs what one of the known ones costs, and comes to the same end.
        let hash = known.unwrap_or_else(|| self.stand_in(&user)).clone();
        let verdict = self.digest(&[user.as_bytes(), hash.reveal().as_bytes(), password.reveal().as_bytes()]);
        if known.is_some() && lock(&self.right).contains(&verdict) {
            return Ok(());
        }
        if peer.is_some_and(|peer| !self.may_try(peer)) {
            return Err(slowed_down());
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(reply::overloaded("too many passwords are being checked"));
        };
        let Ok(turn) = self.hashing.clone().acquire_owned().await else {
            return Err(reply::overloaded("passwords cannot be checked")); // not reached: it is never closed
        };
        // Somebody may have come with the same while this one waited.
        if known.is_some() && lock(&self.right).contains(&verdict) {
            return Ok(());
        }
        let matches = tokio::task::spawn_blocking(move || {
            let matches = bcrypt::verify(password.reveal(), hash.reveal()).unwrap_or(false);
            drop(turn);
            matches
        });
        if matches.await.unwrap_or(false) && known.is_some() {
            let mut right = lock(&self.right);
            if right.len() >= REMEMBERED {
                right.clear();
            }
            right.insert(verdict);
            return Ok(());
        }
        if let Some(peer) = peer {
            self.note_wrong(peer);
        }
        Err(unauthorized())
    }

    fn stand_in(&self, user: &str) -> &Secret {
        let number = self.digest(&[user.as_bytes()]).first().copied().unwrap_or(0);
        let at = usize::from(number) % self.costs.len().max(1);
        // There is at least one user, so there is a hash.
        self.costs.get(at).or(self.costs.first()).unwrap_or_else(|| unreachable!("an Auth has users"))
    }

    /// A digest of the parts, each after its length: no two lists of parts come to the same bytes.
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.digest);
        for part in parts {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().unwrap_or_default()
    }

    /// Whether an address has not had too many wrong passwords.
    fn may_try(&self, peer: IpAddr) -> bool {
        lock(&self.wrong).get_mut(&network(peer)).is_none_or(|allowance| {
            allowance.refill();
            allowance.left >= 1.0
        })
    }

    fn note_wrong(&self, peer: IpAddr) {
        let mut wrong = lock(&self.wrong);
        if wrong.len() >= ADDRESSES && !wrong.contains_key(&network(peer)) {
            let oldest =
                wrong.iter().min_by_key(|(_, allowance)| allowance.since).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                wrong.remove(&oldest);
            }
        }
        let allowance =
            wrong.entry(network(peer)).or_insert(Allowance { left: WRONG, since: Instant::now() });
        allowance.refill();
        allowance.left = (allowance.left - 1.0).max(0.0);
    }
}

impl Allowance {
    fn refill(&mut self) {
        let now = Instant::now();
        let earned = (now - self.since).as_secs_f64() / AFTERWARDS.as_secs_f64();
        *self = Self { left: (self.left + earned).min(WRONG), since: now };
    }
}

/// Whose addresses count as one: hosts of IPv6 have a network of 64 bits to themselves.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// `Authorization: Basic dXNlcjpwYXNzd29yZA==`, exactly one of them.
fn credentials(headers: &HeaderMap) -> Option<(String, Secret)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), Secret::new(password)))
}

fn unauthorized() -> Response {
    let mut response = reply::text(StatusCode::UNAUTHORIZED, "a user and a password are needed here");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

fn slowed_down() -> Response {
    let mut response =
        reply::text(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords from this address");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(AFTERWARDS.as_secs().max(1)));
    response
}

/// `$2y$10$` and 53 characters: version, cost in [4, 31], salt and hash.
fn check_hash(hash: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = hash.splitn(4, '$').collect();
    let ["", version, cost, rest] = parts.as_slice() else {
        return Err("a bcrypt hash was expected, as `htpasswd -nBC 10 USER` makes it");
    };
    if !matches!(*version, "2a" | "2b" | "2x" | "2y") {
        return Err("the hash is of another kind than bcrypt");
    }
    if !cost.parse::<u32>().is_ok_and(|cost| (4..=31).contains(&cost)) || cost.len() != 2 {
        return Err("the hash has a cost that is not in 04 to 31");
    }
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    if rest.len() == 53 && rest.bytes().all(letters) { Ok(()) } else { Err("the hash is not complete") }
}

/// No code that holds one of these locks panics half way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "right", at the lowest cost there is.
    fn auth() -> Auth {
        let hash = bcrypt::hash("right", 4).unwrap();
        Auth::new(&Users([("alice".to_owned(), Secret::new(hash).into())].into())).unwrap().unwrap()
    }

    fn with(credentials: &str) -> HeaderMap {
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        [(AUTHORIZATION, format!("Basic {encoded}").parse().unwrap())].into_iter().collect()
    }

    async fn status(auth: &Auth, credentials: &str) -> u16 {
        let peer = Some("192.0.2.7".parse().unwrap());
        auth.check(&with(credentials), peer)
            .await
            .map_or_else(|response| response.status().as_u16(), |()| 200)
    }

    #[tokio::test]
    async fn only_the_right_password_passes() {
        let auth = auth();
        for (credentials, expected) in [
            ("alice:right", 200),
            ("alice:right", 200),
            ("alice:wrong", 401),
            ("alice:", 401),
            ("mallory:right", 401),
            ("alice", 401),
            (":", 401),
            ("alic:e:right", 401),
        ] {
            assert_eq!(status(&auth, credentials).await, expected, "{credentials}");
        }
        assert_eq!(lock(&auth.right).len(), 1);
        assert!(auth.check(&HeaderMap::new(), None).await.is_err());
        let mut twice = with("alice:right");
        twice.append(AUTHORIZATION, "Basic eDp4".parse().unwrap());
        assert!(auth.check(&twice, None).await.is_err());
    }

    #[tokio::test]
    async fn an_address_with_many_wrong_passwords_is_slowed_down_and_right_ones_still_pass() {
        let auth = auth();
        assert_eq!(status(&auth, "alice:right").await, 200);
        let mut refused = 0;
        for n in 0..WRONG as usize + 20 {
            refused += usize::from(status(&auth, &format!("alice:{n}")).await == 429);
        }
        assert!((10..=20).contains(&refused), "{refused}");
        assert_eq!(status(&auth, "alice:right").await, 200, "remembered");
        let other = Some("192.0.2.8".parse().unwrap());
        let answer = auth.check(&with("alice:wrong"), other).await.unwrap_err();
        assert_eq!(answer.status(), 401, "another address");
    }

    #[test]
    fn hashes_are_checked_as_they_are_read() {
        for (hash, right) in [
            ("$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG", true),
            ("$2b$04$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG", true),
            ("$2y$03$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG", false),
            ("$1$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG", false),
            ("$2y$10$X0h1", false),
            ("password", false),
            ("", false),
        ] {
            assert_eq!(check_hash(hash).is_ok(), right, "{hash}");
        }
        let users = Users([("bob".to_owned(), Secret::new("hunter2").into())].into());
        let error = Auth::new(&users).err().unwrap().to_string();
        assert!(error.contains("bob") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn parts_of_digests_do_not_run_into_each_other() {
        let auth = auth();
        assert_ne!(auth.digest(&[b"ab", b"c"]), auth.digest(&[b"a", b"bc"]));
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::2".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1".parse::<IpAddr>().unwrap());
    }
}
