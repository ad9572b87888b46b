//! The web configuration in force, re-read when its files change.

pub(crate) mod auth;
pub(crate) mod config;
mod der;
mod place;
mod secret;
pub(crate) mod tls;

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use openmetrics::model::Timestamp;
use rustls::ServerConfig;

use auth::Auth;
use config::{Config, RateLimit};
use place::Mistake;
pub use secret::Secret;

/// A configuration that was read and found good.
pub(crate) struct Loaded {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) auth: Option<Auth>,
    pub(crate) rate: Option<Rate>,
    warnings: Vec<String>,
    /// The files that it was made from, and digests of what was in them.
    files: Vec<(PathBuf, Option<u64>)>,
}

/// Checks a web configuration file with all it refers to, as the start of an exporter does.
///
/// ```
/// let missing = std::path::Path::new("/nowhere/web.yml");
/// assert!(openmetrics_exporter_toolkit::check_web_config(missing).unwrap_err().starts_with("/nowhere/web.yml: "));
/// ```
pub fn check_web_config(path: &Path) -> Result<(), String> {
    Loaded::read(path, &RandomState::new()).map(|_| ())
}

/// Checks the text of a web configuration by itself: fields, headers and users, not the files that it names.
///
/// ```
/// let error = openmetrics_exporter_toolkit::check_web_config_text("rate_limits:\n  burst: 1\n").unwrap_err();
/// assert!(error.starts_with("1:1: ") && error.contains("rate_limit"));
/// ```
pub fn check_web_config_text(text: &str) -> Result<(), String> {
    let check = || {
        let config = Config::parse(text)?;
        config.headers()?;
        Auth::new(&config.basic_auth_users).map(|_| ())
    };
    check().map_err(|mistake: Mistake| mistake.to_string())
}

impl Loaded {
    fn read(path: &Path, hasher: &RandomState) -> Result<Self, String> {
        let wrong = |mistake: Mistake| mistake.in_file(path);
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let config = Config::parse(&text).map_err(wrong)?;
        let headers = config.headers().map_err(wrong)?;
        let auth = Auth::new(&config.basic_auth_users).map_err(wrong)?;
        let made =
            tls::make(&config.tls_server_config, config.http_server_config.http2, path).map_err(wrong)?;
        let (tls, mut files, warnings) =
            made.map_or_else(Default::default, |made| (Some(made.config), made.files, made.warnings));
        files.insert(0, path.to_owned());
        let files =
            files.into_iter().map(|file| (digest(&file, hasher), file)).map(|(d, file)| (file, d)).collect();
        Ok(Self { tls, headers, auth, rate: Rate::new(config.rate_limit), warnings, files })
    }
}

fn digest(file: &Path, hasher: &RandomState) -> Option<u64> {
    std::fs::read(file).ok().map(|bytes| hasher.hash_one(bytes))
}

/// A token bucket over all requests.
pub(crate) struct Rate {
    limit: RateLimit,
    tokens: Mutex<(f64, Instant)>,
}

impl Rate {
    /// `None` if the interval is zero.
    fn new(limit: RateLimit) -> Option<Self> {
        let tokens = Mutex::new((f64::from(limit.burst), Instant::now()));
        (!limit.interval.is_zero()).then_some(Self { limit, tokens })
    }

    /// Takes a token, if there is one.
    pub(crate) fn allow(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let earned = (now - tokens.1).as_secs_f64() / self.limit.interval.as_secs_f64();
        let have = (tokens.0 + earned).min(f64::from(self.limit.burst));
        let allowed = have >= 1.0;
        *tokens = (if allowed { have - 1.0 } else { have }, now);
        allowed
    }
}

/// How often the files are looked at, at most: they are small, and looked at only when somebody asks for something.
const LOOK: Duration = Duration::from_millis(500);

/// The configuration in force.
pub(crate) struct Current {
    path: PathBuf,
    hasher: RandomState,
    loaded: RwLock<Arc<Loaded>>,
    looked: Mutex<Instant>,
    good: AtomicBool,
    since: Mutex<Timestamp>,
}

impl Current {
    pub(crate) fn new(path: &Path) -> Result<Self, String> {
        let hasher = RandomState::new();
        let loaded = Loaded::read(path, &hasher)?;
        for warning in &loaded.warnings {
            tracing::warn!(file = %path.display(), "{warning}");
        }
        Ok(Self {
            path: path.to_owned(),
            hasher,
            loaded: RwLock::new(Arc::new(loaded)),
            looked: Mutex::new(Instant::now()),
            good: AtomicBool::new(true),
            since: Mutex::new(Timestamp::now()),
        })
    }

    /// What is in force now; re-read first if a file has changed.
    pub(crate) async fn get(self: &Arc<Self>) -> Arc<Loaded> {
        if self.is_due() {
            let current = self.clone();
            // It catches nothing that could panic; at the end of the runtime the old one is as good.
            let _ = tokio::task::spawn_blocking(move || current.look(false)).await;
        }
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_due(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = looked.elapsed() >= LOOK;
        if due {
            *looked = Instant::now();
        }
        due
    }

    /// Re-reads the files if one has changed, or in any case if `anyway`. A configuration that is not good changes
    /// nothing but the metric that says so.
    pub(crate) fn look(&self, anyway: bool) {
        let before = self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone();
        let changed = before.files.iter().any(|(file, was)| digest(file, &self.hasher) != *was);
        let was_good = self.good.load(Ordering::Relaxed);
        if !changed && !anyway {
            // A bad file that was put back as it was is good again.
            self.good.store(true, Ordering::Relaxed);
            return;
        }
        let read = Loaded::read(&self.path, &self.hasher).and_then(|loaded| {
            if loaded.tls.is_some() == before.tls.is_some() {
                Ok(loaded)
            } else {
                Err(format!("{}: TLS cannot be turned on or off without a restart", self.path.display()))
            }
        });
        match read {
            Ok(loaded) => {
                tracing::info!(file = %self.path.display(), "the web configuration was read again");
                for warning in &loaded.warnings {
                    tracing::warn!(file = %self.path.display(), "{warning}");
                }
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
                *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Timestamp::now();
                self.good.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                if was_good || anyway {
                    tracing::error!(
                        error,
                        "the web configuration has changed and is not good; the old one stays"
                    );
                }
                self.good.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Whether the last reading was good, and when the one in force was read.
    pub(crate) fn state(&self) -> (bool, Timestamp) {
        (self.good.load(Ordering::Relaxed), *self.since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).tls.is_some()
    }

    pub(crate) fn has_auth(&self) -> bool {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).auth.is_some()
    }
}
