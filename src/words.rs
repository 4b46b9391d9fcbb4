//! Lists of names for people.

/// The first `most` of them, and how many more.
pub(crate) fn few(names: &[impl AsRef<str>], most: usize) -> String {
    let (named, more) = names.split_at(names.len().min(most));
    let named = named.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    if more.is_empty() { named } else { format!("{named} and {} more", more.len()) }
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn what_is_too_long_is_counted() {
        assert_eq!(few(&[] as &[&str], 2), "");
        assert_eq!(few(&["a", "b"], 2), "a, b");
        assert_eq!(few(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
