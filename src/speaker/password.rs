//! Keys for TCP MD5 (RFC 2385): each gateway's is in a file of its own, read again and again.
//!
//! A key that cannot be used keeps its gateway down, and no other; never is a connection made without the key that is
//! configured. A session that stands keeps the key that it began with: TCP has no way to change it on both sides at once,
//! so a new key counts from the next connection on.

use crate::config::Secret;
use std::path::Path;

/// The longest key that the kernel takes (TCP_MD5SIG_MAXKEYLEN).
const LONGEST: usize = 80;

/// What a gateway's connections are signed with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Password {
    /// They are not signed.
    Unwanted,
    /// This.
    Usable(Secret),
    /// Nothing, so there must be none; why.
    Missing(String),
}

impl Password {
    /// What the file says now. Reads a file: not for a task that others wait for.
    pub(super) fn read(file: &Path) -> Password {
        match Secret::read(file) {
            Ok(secret) if secret.reveal().len() <= LONGEST => Password::Usable(secret),
            Ok(_) => {
                Password::Missing(format!("{} is longer than the {LONGEST} octets of a TCP MD5 key", file.display()))
            }
            Err(why) => Password::Missing(why),
        }
    }

    /// The key, if connections are signed; an error where none may be made.
    pub(super) fn key(&self) -> Result<Option<&Secret>, &str> {
        match self {
            Password::Unwanted => Ok(None),
            Password::Usable(key) => Ok(Some(key)),
            Password::Missing(why) => Err(why),
        }
    }
}
