//! The configuration file.

use crate::bounded;
use fingerpost::config::parse;
use std::path::Path;

/// The whole file.
pub(crate) fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // A folder that is not there: files that the text names cannot be read, which is a fault of the text like others.
    let file = Path::new("/nonexistent/fingerpost.yaml");
    let answer = bounded(input, 4096, 1 << 20, || parse(text, file));
    let said = match &answer {
        Ok(config) => &config.warnings,
        Err(faults) => {
            assert!(!faults.faults.is_empty(), "refused without a reason");
            &faults.faults
        }
    };
    let lines = text.split(['\n', '\r']).count();
    for fault in said {
        assert!((1..=lines + 1).contains(&(fault.line as usize)), "no such line: {fault:?}");
        assert!(!fault.to_string().chars().any(char::is_control), "{fault:?} could write into a terminal");
    }
    assert!(said.is_sorted_by_key(|fault| (fault.line, fault.column)), "{said:?}");
    assert_eq!(parse(text, file), answer, "the same text, the same answer");
}
