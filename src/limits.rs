//! File descriptors: how many this process may have, and what to do where they are too few.
//!
//! Systemd and shells give a soft limit of 1024, for the sake of programs that use `select`, and a hard limit that is far
//! higher. The soft one is raised at the start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// Descriptors besides those of gateways and HTTP clients: the log, listeners, sources, the runtime's own.
const OTHERS: usize = 64;
/// A gateway has two connections while they collide (RFC 4271 §6.8).
const PER_GATEWAY: usize = 2;

/// Raises the soft limit to the hard one. Where that is refused, the soft one stands, and [`warning`] tells.
pub fn raise() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many descriptors this process may have.
pub fn descriptors() -> usize {
    let most = getrlimit(Resource::Nofile).current;
    most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// What to say if so many gateways, and HTTP clients as many as are let in, need more descriptors than there are.
pub fn warning(gateways: usize) -> Option<String> {
    too_few(gateways, descriptors())
}

fn too_few(gateways: usize, limit: usize) -> Option<String> {
    // Three quarters: the HTTP service takes up to a quarter.
    let needed = (gateways * PER_GATEWAY + OTHERS).div_ceil(3) * 4;
    (limit < needed).then(|| {
        format!(
            "this process may open {limit} descriptors, and {gateways} gateways may need {needed}: raise the hard limit \
             (LimitNOFILE={needed} in the unit, or ulimit -Hn)"
        )
    })
}

/// The error, and what to do about it where descriptors have run out.
pub fn explained(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            format!("{error}: this process may open {}: raise LimitNOFILE (ulimit -Hn)", descriptors())
        }
        Some(libc::ENFILE) => format!("{error}: raise the machine's limit, fs.file-max"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{explained, too_few};
    use std::io;

    #[test]
    fn too_low_a_limit_is_said_with_one_that_will_do() {
        assert_eq!(too_few(1, 88), None);
        let said = too_few(1, 87).unwrap();
        assert!(said.contains("may open 87 descriptors") && said.contains("LimitNOFILE=88"), "{said}");
        let said = too_few(1000, 1024).unwrap();
        assert!(said.contains("1000 gateways may need 2752"), "{said}");
        assert_eq!(too_few(1000, 2752), None);
    }

    #[test]
    fn running_out_of_descriptors_says_what_to_raise() {
        let said = explained(&io::Error::from_raw_os_error(libc::EMFILE));
        assert!(said.contains("Too many open files") && said.contains("LimitNOFILE"), "{said}");
        let said = explained(&io::Error::from_raw_os_error(libc::ENFILE));
        assert!(said.contains("fs.file-max"), "{said}");
        let refused = io::Error::from_raw_os_error(libc::ECONNREFUSED);
        assert_eq!(explained(&refused), refused.to_string());
    }
}
