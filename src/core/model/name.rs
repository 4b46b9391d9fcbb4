//! What things in a configuration are called.

/// Whether a source, a gateway, a policy or the like can be called that: 1 to 63 letters, digits, dots, hyphens and underscores of ASCII.
/// Names become metric labels, file names, arguments and parts of keys.
pub fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
