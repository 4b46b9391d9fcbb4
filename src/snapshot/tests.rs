use super::sealed::Refused;
use super::*;
use fingerpost_core::model::{HostName, Labels};
use fingerpost_core::source::schema::Addresses;
use fingerpost_core::source::{ClusterId, Rev};
use fingerpost_core::table::ChangeKind;
use std::path::Path;
use tempfile::TempDir;

fn place(directory: &TempDir) -> Place {
    Place {
        source: SourceId(0),
        name: "prod".into(),
        keys: b"/fp/hosts/".to_vec(),
        directory: directory.path().join("state"),
    }
}

fn header(place: &Place) -> Header {
    let (source, keys) = (place.name.clone(), place.keys.clone());
    Header {
        source,
        keys,
        cluster: ClusterId(0xfeed),
        at: Rev(42),
        spent: spent(),
        spent_at: spent_at(),
        suspect: true,
        passed: PASSED,
    }
}

const PASSED: Rev = Rev(40);

fn spent() -> Spent {
    Spent::new(|kind| match kind {
        ChangeKind::Withdrawal => 0.5,
        ChangeKind::Move => 0.125,
        ChangeKind::Addition => 1.0,
    })
}

fn spent_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
}

fn records() -> Vec<KnownRecord> {
    let record = |name: &[u8], n: u64| KnownRecord {
        name: name.to_vec().into(),
        modified: Rev(n + 10),
        created: Rev(n),
        host: HostName::new(&format!("host-{n}")).unwrap(),
        labels: Labels([("zone".to_owned(), "a\"\n".to_owned())].into()),
        addresses: Addresses { ipv4: Some([10, 168, 0, 1].into()), ipv6: Some("fd00::1".parse().unwrap()) },
        subnets: vec![format!("10.244.{n}.0/24").parse().unwrap(), format!("fd00:{n}::/64").parse().unwrap()],
        dangling: vec![("10.245.0.0/24".parse().unwrap(), "10.168.0.2".parse().unwrap())],
        held: vec!["10.246.0.0/24".parse().unwrap()],
    };
    vec![record(b"a", 1), record(b"not \xff text", 2)]
}

fn written() -> (TempDir, Place) {
    let directory = TempDir::new().unwrap();
    let place = place(&directory);
    place.write(&header(&place), &records()).unwrap();
    (directory, place)
}

#[test]
fn what_is_written_is_read() {
    let (_directory, place) = written();
    let left = place.read().unwrap();
    let (cluster, at, records) = (ClusterId(0xfeed), Rev(42), records());
    assert_eq!(left.snapshot, Snapshot { cluster, at, records, suspect: true, passed: PASSED });
    assert_eq!(left.spent, spent());
    assert!(left.ago >= Duration::from_secs(3600), "{:?}", left.ago);
    assert!(place.kept().path().exists(), "and stays");
}

#[test]
fn no_file_is_no_snapshot() {
    assert_eq!(place(&TempDir::new().unwrap()).read(), None);
}

#[test]
fn a_file_that_is_cut_off_or_changed_anywhere_is_refused_and_kept_aside() {
    let (_directory, place) = written();
    let whole = std::fs::read(place.kept().path()).unwrap();
    let refused = |contents: &[u8], what: &str| {
        std::fs::write(place.kept().path(), contents).unwrap();
        assert_eq!(place.read(), None, "{what}");
        let aside = place.directory.join("snapshot-prod.refused");
        assert!(!place.kept().path().exists() && std::fs::read(aside).unwrap() == contents, "{what}");
    };
    for length in 0..whole.len() {
        refused(&whole[..length], &format!("cut off after {length} octets"));
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        refused(&changed, &format!("octet {place} changed"));
    }
}

#[test]
fn other_versions_are_refused_with_the_reason() {
    let (_directory, place) = written();
    let whole = String::from_utf8(std::fs::read(place.kept().path()).unwrap()).unwrap();
    let newer = whole.replacen("\"fingerpost_snapshot\":1", "\"fingerpost_snapshot\":2", 1);
    assert_eq!(format::read(newer.as_bytes(), &place.keys), Err(Refused::Version { found: 2, known: 1 }));
}

#[test]
fn c51_the_snapshot_of_a_source_that_reads_other_keys_is_used_and_that_is_said_p3() {
    let (_directory, place) = written();
    let contents = std::fs::read(place.kept().path()).unwrap();
    let of = |keys: &[u8]| format::read(&contents, keys).unwrap();
    assert_eq!(of(b"/fp/hosts/").keys, None);
    assert_eq!((of(b"/other/").keys.as_deref(), of(b"/other/").snapshot.records), (Some("/fp/hosts/"), records()));
}

#[test]
fn c51_a_clock_that_went_back_gives_nothing_back_p3() {
    let (_directory, place) = written();
    let later = Header { spent_at: SystemTime::now() + Duration::from_secs(100_000), ..header(&place) };
    place.write(&later, &records()).unwrap();
    let left = place.read().unwrap();
    assert_eq!((left.spent, left.ago), (spent(), Duration::ZERO));
}

#[test]
fn a_file_from_before_something_was_kept_is_read_and_says_nothing_of_it() {
    let (_directory, place) = written();
    let whole = std::fs::read_to_string(place.kept().path()).unwrap();
    let without = |what: &str, value: &str| {
        let (head, rest) = whole.split_once(&format!(",\"{what}\":")).unwrap();
        let body = format!("{head}{}", rest.strip_prefix(value).unwrap_or_else(|| panic!("{what} is {rest}")));
        let summed = &body[..body.trim_end().rfind('\n').unwrap() + 1];
        let sum = format!("{{\"crc32\":\"{:08x}\"}}\n", crc32fast::hash(summed.as_bytes()));
        std::fs::write(place.kept().path(), format!("{summed}{sum}")).unwrap();
        let left = place.read().unwrap();
        assert_eq!(left.snapshot.records, records());
        (left.spent, left.snapshot.passed)
    };
    let spent_line = r#"{"withdrawal":0.5,"move":0.125,"addition":1.0,"at":1700000000123}"#;
    assert_eq!(without("spent", spent_line), (Spent::default(), PASSED));
    assert_eq!(without("passed", "40"), (spent(), Rev(0)));
}

#[test]
fn c59_a_directory_that_cannot_be_written_is_an_error_and_leaves_the_old_file() {
    let (_directory, place) = written();
    let before = std::fs::read(place.kept().path()).unwrap();
    // A directory where the new file would be: also root cannot write it.
    std::fs::create_dir(place.kept().new_path()).unwrap();
    place.write(&header(&place), &[]).unwrap_err();
    assert_eq!(std::fs::read(place.kept().path()).unwrap(), before);
}

#[test]
fn a_pipe_in_the_place_of_a_file_stops_neither_the_start_nor_the_writing() {
    let (_directory, place) = written();
    let pipe = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    std::fs::remove_file(place.kept().path()).unwrap();
    pipe(&place.kept().path());
    assert_eq!(place.read(), None);
    pipe(&place.kept().new_path());
    place.write(&header(&place), &records()).unwrap();
    assert_eq!(place.read().map(|left| left.snapshot.records), Some(records()));
}

#[test]
fn the_file_of_a_source_is_not_what_another_writes_first() {
    let (_directory, place) = written();
    let other = Place { name: "prod.new".into(), ..place.clone() };
    other.write(&header(&other), &records()[..1]).unwrap();
    place.write(&header(&place), &records()).unwrap();
    assert_eq!(other.read().map(|left| left.snapshot.records.len()), Some(1));
}
