//! `state_dir/term`: the highest term that this replica has led in or heard of. It outlives process and store.

use crate::snapshot::file::Kept;
use crate::snapshot::sealed::{self, Lines, Refused, parsed};
use fingerpost_core::model::Term;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
const NAME: &str = "term";

#[derive(Serialize, Deserialize)]
struct TermLine {
    fingerpost_term: u32,
    term: Term,
}

#[derive(Deserialize)]
struct Version {
    fingerpost_term: u32,
}

impl From<Version> for u32 {
    fn from(version: Version) -> u32 {
        version.fingerpost_term
    }
}

/// The file.
#[derive(Clone, Debug)]
pub(super) struct TermFile {
    directory: PathBuf,
}

impl TermFile {
    pub(super) fn new(directory: PathBuf) -> Self {
        TermFile { directory }
    }

    /// Raises the term on disk to this one, unless it is higher already; gives the one that is there now. Read each time: it is
    /// done once a leadership. It blocks.
    pub(super) fn raise(&self, term: Term) -> Result<Term, String> {
        let file = Kept { directory: &self.directory, name: NAME.into(), private: false };
        let path = file.path();
        let term = match file.contents() {
            Ok(None) => term,
            Ok(Some(contents)) => match read(&contents) {
                Ok(before) => before.max(term),
                Err(refused) => {
                    let said = file.set_aside(&refused);
                    tracing::warn!("the store alone says which terms there were: {said}");
                    term
                }
            },
            // What is not known may be higher.
            Err(error) => return Err(fault(&path, "read", &error.to_string())),
        };
        let line = TermLine { fingerpost_term: VERSION, term };
        let written = file.replace(|to| sealed::write(to, &line, std::iter::empty::<TermLine>()));
        written.map(|()| term).map_err(|error| fault(&path, "write", &error.to_string()))
    }
}

fn read(contents: &[u8]) -> Result<Term, Refused> {
    let Lines { first, .. } = sealed::read::<Version>(contents, VERSION)?;
    parsed::<TermLine>(0, first).map(|line| line.term)
}

fn fault(path: &Path, what: &str, error: &str) -> String {
    format!(
        "cannot {what} {}: {error}: this replica does not lead, for after a restart it would not know its term; let its user \
         read and write state_dir",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(number: u32) -> Term {
        Term::new(number).unwrap()
    }

    #[test]
    fn a_term_on_disk_is_only_ever_raised() {
        let directory = tempfile::tempdir().unwrap();
        let file = TermFile::new(directory.path().join("state"));
        assert_eq!(file.raise(Term::NONE), Ok(Term::NONE));
        assert_eq!(file.raise(term(7)), Ok(term(7)));
        assert_eq!(file.raise(term(3)), Ok(term(7)));
        assert_eq!(TermFile::new(directory.path().join("state")).raise(Term::NONE), Ok(term(7)));
    }

    #[test]
    fn a_file_that_was_damaged_is_kept_aside_and_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let file = TermFile::new(directory.path().to_owned());
        file.raise(term(7)).unwrap();
        let path = directory.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"term\":7", "\"term\":1")).unwrap();
        assert_eq!(file.raise(term(2)), Ok(term(2)));
        assert!(directory.path().join("term.refused").exists());
    }

    #[test]
    fn what_cannot_be_read_may_be_higher_and_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(NAME)).unwrap();
        let why = TermFile::new(directory.path().to_owned()).raise(term(2)).unwrap_err();
        assert!(why.starts_with("cannot read") && why.contains("does not lead"), "{why}");
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let why = TermFile::new(file).raise(term(2)).unwrap_err();
        assert!(why.contains("let its user read and write state_dir"), "{why}");
    }
}
