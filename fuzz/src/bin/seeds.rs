//! Writes every target's seeds as files, as libFuzzer wants them: `seeds FOLDER` makes `FOLDER/TARGET/NAME`.

// Built beside the fuzzers, its code counts what it covers as theirs does: libFuzzer holds the counters.
#[cfg(feature = "libfuzzer")]
use libfuzzer_sys as _;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds FOLDER");
        return ExitCode::FAILURE;
    };
    for (target, _) in fuzz::TARGETS {
        if let Err(error) = write(&folder.join(target), target) {
            eprintln!("seeds of {target}: {error}");
            return ExitCode::FAILURE;
        }
        println!("{target}");
    }
    ExitCode::SUCCESS
}

fn write(folder: &std::path::Path, target: &str) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    for (name, octets) in fuzz::seeds::of(target)? {
        std::fs::write(folder.join(name), octets).map_err(|error| error.to_string())?;
    }
    Ok(())
}
