//! What the fuzzers start from: files in `seeds/`, `TARGET.hex` or a folder `TARGET/`.
//!
//! A `.hex` file has one input a line, `name: octets`, where spaces and what follows a `#` do not count. Octets may be written
//! as text in quotes, and `HEX*N` repeats.

use std::path::Path;

/// The seeds of a target, by name.
///
/// # Errors
/// A file that cannot be read, or a line that says no octets, with its place.
pub fn of(target: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut seeds = Vec::new();
    let lines = folder.join(format!("{target}.hex"));
    if lines.exists() {
        let text = std::fs::read_to_string(&lines).map_err(|error| format!("{}: {error}", lines.display()))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let seed =
                    seed(line).ok_or_else(|| format!("{}:{}: no `name: octets`", lines.display(), number + 1))?;
                seeds.push(seed);
            }
        }
    }
    let files = folder.join(target);
    if files.exists() {
        let fault = |error: std::io::Error| format!("{}: {error}", files.display());
        for entry in std::fs::read_dir(&files).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            seeds.push((name, std::fs::read(entry.path()).map_err(fault)?));
        }
    }
    seeds.sort();
    Ok(seeds)
}

fn seed(line: &str) -> Option<(String, Vec<u8>)> {
    let (name, octets) = line.split_once(':')?;
    let octets = octets.split_whitespace().map(word).collect::<Option<Vec<_>>>()?.concat();
    Some((name.trim().to_owned(), octets))
}

fn word(word: &str) -> Option<Vec<u8>> {
    let (word, times) =
        word.split_once('*').map_or(Some((word, 1)), |(word, times)| Some((word, times.parse().ok()?)))?;
    let octets = match word.strip_prefix('"') {
        Some(text) => text.strip_suffix('"')?.as_bytes().to_vec(),
        None if word.len() % 2 == 0 => (0..word.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(word.get(at..at + 2)?, 16).ok())
            .collect::<Option<_>>()?,
        None => return None,
    };
    Some(octets.repeat(times))
}
