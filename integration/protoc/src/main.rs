//! Prints the environment in which `etcd-client` builds on a machine without protoc: `PROTOC=…` and `PROTOC_INCLUDE=…`,
//! one a line. Binary and includes come inside the crate `protoc-bin-vendored`; nothing is downloaded or installed.
//!
//! A package of its own, because it must build before anything that needs protoc does; `with-protoc.sh` uses it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match (protoc_bin_vendored::protoc_bin_path(), protoc_bin_vendored::include_path()) {
        (Ok(binary), Ok(include)) => {
            println!("PROTOC={}\nPROTOC_INCLUDE={}", binary.display(), include.display());
            ExitCode::SUCCESS
        }
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("no protoc for this machine comes with protoc-bin-vendored ({error}); install protobuf-compiler");
            ExitCode::FAILURE
        }
    }
}
