//! How a device is asked: the version, and a community or a user.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::access::AllowList;
use crate::message::Version;
use crate::secret::Secret;
use crate::usm::{AuthProtocol, PrivProtocol, User};

/// A community or a user, under a name that requests use.
///
/// Keys beyond `snmp_exporter`'s: `targets` lists the networks and names that it may be sent to; a request that
/// names no auth takes the one whose list fits the target most closely. `community_file`, `password_file` and `priv_password_file` name files whose first
/// line is the secret.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The community of versions 1 and 2c.
    #[serde(default = "public", skip_serializing_if = "Secret::is_empty")]
    pub community: Secret,
    /// `noAuthNoPriv`, `authNoPriv` or `authPriv`.
    #[serde(default = "no_auth")]
    pub security_level: String,
    /// The user of version 3.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// What the user authenticates with.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub password: Secret,
    /// A name of [`AuthProtocol::NAMES`].
    #[serde(default = "md5")]
    pub auth_protocol: String,
    /// A name of [`PrivProtocol::NAMES`].
    #[serde(default = "des")]
    pub priv_protocol: String,
    /// What the user encrypts with.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub priv_password: Secret,
    /// The context within a device.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context_name: String,
    /// 1, 2 or 3.
    #[serde(default = "two")]
    pub version: u32,
    /// A file with the community.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub community_file: Option<String>,
    /// A file with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file with the password to encrypt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priv_password_file: Option<String>,
    /// What it may be sent to; without any, everything.
    #[serde(default, deserialize_with = "super::or_default", skip_serializing_if = "AllowList::is_empty")]
    pub targets: AllowList,
    /// The user with hashed passwords, made when first asked for: it takes milliseconds.
    #[serde(skip)]
    user: OnceLock<User>,
}

fn public() -> Secret {
    Secret::new("public")
}
fn no_auth() -> String {
    "noAuthNoPriv".into()
}
fn md5() -> String {
    "MD5".into()
}
fn des() -> String {
    "DES".into()
}
fn two() -> u32 {
    2
}

fn named<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}

fn choices<T>(names: &[(&'static str, T)]) -> String {
    names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl Auth {
    /// The version of its messages.
    pub fn version(&self) -> Version {
        match self.version {
            1 => Version::V1,
            3 => Version::V3,
            _ => Version::V2c,
        }
    }

    /// The user of version 3.
    pub fn user(&self) -> &User {
        self.user.get_or_init(|| {
            let auth =
                self.authenticates().then(|| named(&AuthProtocol::NAMES, &self.auth_protocol)).flatten();
            let privacy = self.encrypts().then(|| named(&PrivProtocol::NAMES, &self.priv_protocol)).flatten();
            User::new(
                &self.username,
                auth.map(|protocol| (protocol, &self.password)),
                privacy.map(|protocol| (protocol, &self.priv_password)),
            )
        })
    }

    /// What two auths with the same keys have in common.
    pub fn identity(&self) -> Secret {
        let parts = [
            &self.username,
            &self.security_level,
            &self.auth_protocol,
            self.password.expose(),
            &self.priv_protocol,
            self.priv_password.expose(),
        ];
        Secret::new(parts.join("\0"))
    }

    fn authenticates(&self) -> bool {
        self.security_level == "authNoPriv" || self.encrypts()
    }

    fn encrypts(&self) -> bool {
        self.security_level == "authPriv"
    }

    /// Reads secrets from their files, puts variables of the environment in their places if `expand`, and checks
    /// that nothing is missing.
    pub fn complete(
        &mut self,
        expand: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        for (file, secret, name) in [
            (&self.community_file, &mut self.community, "community_file"),
            (&self.password_file, &mut self.password, "password_file"),
            (&self.priv_password_file, &mut self.priv_password, "priv_password_file"),
        ] {
            let Some(file) = file else { continue };
            let text = std::fs::read_to_string(file).map_err(|error| format!("{name} {file}: {error}"))?;
            *secret = Secret::new(text.lines().next().unwrap_or_default());
        }
        if expand {
            self.username = expanded(&self.username, &variable)?;
            for secret in [&mut self.password, &mut self.priv_password] {
                *secret = Secret::new(expanded(secret.expose(), &variable)?);
            }
        }
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=3).contains(&self.version) {
            return Err(format!("version is {}, and has to be 1, 2 or 3", self.version));
        }
        if self.version != 3 {
            return Ok(());
        }
        if !["noAuthNoPriv", "authNoPriv", "authPriv"].contains(&self.security_level.as_str()) {
            let level = &self.security_level;
            return Err(format!(
                "security_level is {level:?}, and has to be noAuthNoPriv, authNoPriv or authPriv"
            ));
        }
        if self.encrypts() {
            if named(&PrivProtocol::NAMES, &self.priv_protocol).is_none() {
                let protocol = &self.priv_protocol;
                return Err(format!(
                    "priv_protocol is {protocol:?}, and has to be one of {}",
                    choices(&PrivProtocol::NAMES)
                ));
            }
            if self.priv_password.is_empty() {
                return Err("priv_password is missing, which authPriv needs".into());
            }
        }
        if self.authenticates() {
            if named(&AuthProtocol::NAMES, &self.auth_protocol).is_none() {
                let protocol = &self.auth_protocol;
                return Err(format!(
                    "auth_protocol is {protocol:?}, and has to be one of {}",
                    choices(&AuthProtocol::NAMES)
                ));
            }
            if self.password.is_empty() {
                return Err(format!("password is missing, which {} needs", self.security_level));
            }
        }
        if self.username.is_empty() {
            return Err("username is missing, which version 3 needs".into());
        }
        Ok(())
    }
}

/// A text with `$NAME` and `${NAME}` replaced, as a shell would; a variable that is not set is an error.
fn expanded(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, after) =
            if let Some(braced) = after.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                braced
            } else {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                after.split_at_checked(end).unwrap_or((after, ""))
            };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&variable(name).ok_or_else(|| format!("environment variable {name} is not set"))?);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn auth(yaml: &str) -> Auth {
        let text = format!("auths: {{a: {{{yaml}}}}}\n");
        Config::parse(&text).unwrap().auths.remove("a").unwrap()
    }

    fn completed(yaml: &str) -> Result<(), String> {
        auth(yaml).complete(false, |_| None)
    }

    #[test]
    fn defaults() {
        let auth = auth("");
        assert_eq!((auth.version(), auth.community.expose()), (Version::V2c, "public"));
        assert_eq!(completed(""), Ok(()));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (yaml, message) in [
            ("version: 4", "version is 4, and has to be 1, 2 or 3"),
            ("version: 3", "username is missing, which version 3 needs"),
            (
                "version: 3, username: u, security_level: x",
                "security_level is \"x\", and has to be noAuthNoPriv, authNoPriv or authPriv",
            ),
            (
                "version: 3, username: u, security_level: authNoPriv",
                "password is missing, which authNoPriv needs",
            ),
            (
                "version: 3, username: u, security_level: authPriv, password: p",
                "priv_password is missing, which authPriv needs",
            ),
            (
                "version: 3, username: u, security_level: authNoPriv, password: p, auth_protocol: SHA3",
                "auth_protocol is \"SHA3\", and has to be one of MD5, SHA, SHA224, SHA256, SHA384, SHA512",
            ),
            (
                "version: 3, username: u, security_level: authPriv, password: p, priv_password: q, priv_protocol: AES512",
                "priv_protocol is \"AES512\", and has to be one of DES, AES, AES192, AES256, AES192C, AES256C",
            ),
        ] {
            assert_eq!(completed(yaml), Err(message.to_owned()), "{yaml}");
        }
        assert_eq!(completed("version: 3, username: u"), Ok(()));
    }

    #[test]
    fn variables_are_put_in_their_places() {
        let variable = |name: &str| (name == "WHO").then(|| "me".to_owned());
        for (text, expected) in
            [("$WHO", "me"), ("${WHO}x$WHO", "mexme"), ("$", "$"), ("a$-b", "a$-b"), ("none", "none")]
        {
            assert_eq!(expanded(text, variable).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(expanded("$NO", variable), Err("environment variable NO is not set".into()));
        let mut auth = auth("version: 3, username: $WHO, community: $NO");
        assert_eq!(auth.complete(true, variable), Ok(()));
        assert_eq!((auth.username.as_str(), auth.community.expose()), ("me", "$NO"));
    }

    #[test]
    fn a_missing_secret_file_is_an_error_with_its_path() {
        let error = completed("community_file: /no/such/file").unwrap_err();
        assert!(error.starts_with("community_file /no/such/file: "), "{error}");
    }
}
