use super::*;
use fingerpost_core::model::Instance;
use fingerpost_core::orders::{Decided, Giver, Number, SeenChange, What};
use fingerpost_core::source::{ClusterId, Rev};
use proptest::prelude::*;
use tempfile::TempDir;

fn names() -> BTreeMap<SourceId, String> {
    [(SourceId(0), "lab".into()), (SourceId(1), "prod".into())].into()
}

fn written(orders: &Orders) -> Vec<u8> {
    let mut octets = Vec::new();
    write(&mut octets, orders, &names()).unwrap();
    octets
}

fn shared() -> Vec<Entry> {
    let change = SeenChange {
        kind: ChangeKind::Move,
        prefix: "fd00::/64".parse().unwrap(),
        from: Some("fd00::1".parse().unwrap()),
        to: Some("fd00::2".parse().unwrap()),
    };
    let decided = Decided {
        approved: true,
        source: "prod".into(),
        cluster: ClusterId(u64::MAX),
        revision: Rev(7),
        changes: vec![change],
    };
    let entry = |(at, what)| {
        let (number, giver) = (Number { at, by: Instance(7) }, Giver { replica: "10.0.3.1".into(), uid: Some(0) });
        Entry { order: Order { number, giver, what }, open: at == 7 }
    };
    let orders =
        [(3, What::Freeze), (7, What::Decide(decided.into())), (8, What::Restore(Target::Prefix(change.prefix)))];
    orders.into_iter().map(entry).collect()
}

fn some() -> Orders {
    let denied = |prefix| Denied { source: SourceId(1), kind: ChangeKind::Move, prefix };
    let approved = |kind, prefix: &str, to: Option<&str>| Approved {
        source: SourceId(0),
        kind,
        prefix: prefix.parse().unwrap(),
        to: to.map(|to| to.parse().unwrap()),
    };
    Orders {
        frozen: None,
        frozen_because: None,
        forced: vec![
            Target::Prefix("10.244.1.0/24".parse().unwrap()),
            Target::Host(HostName::new("node-\u{e4}1").unwrap()),
        ],
        drained: vec!["core-a".into()],
        denied: vec![denied(None), denied(Some("fd00::/64".parse().unwrap()))],
        approved: vec![
            approved(ChangeKind::Withdrawal, "10.244.7.0/24", None),
            approved(ChangeKind::Move, "fd00:1::/64", Some("fd00::7")),
        ],
        shared: shared(),
        latest: 8,
        ended: 2,
        unknown_before: 0,
    }
}

#[test]
fn c52_what_is_written_is_read() {
    assert_eq!(read(&written(&some()), &names(), &[]), Ok((some(), Vec::new())));
    let hour = Duration::from_secs(3600);
    let frozen = read(&written(&Orders { frozen: Some(hour), ..some() }), &names(), &[]).unwrap().0.frozen;
    assert!(frozen.is_some_and(|frozen| frozen >= hour && frozen < hour * 2), "{frozen:?}");
    let (of_none, _) = read(&written(&some()), &BTreeMap::new(), &[]).unwrap();
    assert_eq!((of_none.denied, of_none.approved), (Vec::new(), Vec::new()));
}

#[test]
fn c51_what_was_decided_about_a_source_stands_under_its_new_name_and_is_written_so_p3() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("orders"), written(&some())).unwrap();
    let names: BTreeMap<_, _> = [(SourceId(0), "first".into()), (SourceId(1), "second".into())].into();
    let read = |renamed: &[(String, String)]| OrdersFile::read(Some(directory.path()), &names, renamed);
    let renamed = [("lab".into(), "first".into()), ("prod".into(), "second".into())];
    assert_eq!(read(&renamed), some());
    assert_eq!(read(&[]), some(), "the process after that does not know that it was renamed");
}

#[test]
fn c50_orders_that_cannot_be_known_freeze_and_their_file_is_kept_aside_p3() {
    let directory = TempDir::new().unwrap();
    let (file, aside) = (directory.path().join("orders"), directory.path().join("orders.refused"));
    let read = || OrdersFile::read(Some(directory.path()), &names(), &[]);
    assert_eq!(read(), Orders::default(), "a first start");
    let whole = written(&some());
    let newer = String::from_utf8(whole.clone()).unwrap().replacen("orders\":1", "orders\":2", 1).into_bytes();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for contents in [newer, changed, whole[..whole.len() - 2].to_vec(), Vec::new()] {
        std::fs::write(&file, &contents).unwrap();
        let orders = read();
        assert!(orders.frozen.is_some() && orders.forced.is_empty() && orders.denied.is_empty(), "{orders:?}");
        let because = orders.frozen_because.clone().unwrap();
        let kept = format!("it is kept as {}", aside.display());
        assert!(because.contains(&kept) && because.contains("fingerpost unfreeze"), "{because}");
        assert_eq!(std::fs::read(&aside).unwrap(), contents);
        assert_eq!(read().frozen_because, Some(because), "the process after that is frozen, too, and says why");
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(read().frozen_because.unwrap().contains("it is not a regular file"));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(read(), some());
}

/// As a later version may have written it, with its checksum.
fn with_line(orders: &Orders, line: &str) -> Vec<u8> {
    let whole = String::from_utf8(written(orders)).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let (first, others) = (lines[0], &lines[1..lines.len() - 1]);
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let others = std::iter::once(line).chain(others.iter().copied()).map(value);
    let mut octets = Vec::new();
    sealed::write(&mut octets, &value(first), others).unwrap();
    octets
}

#[test]
fn one_line_that_cannot_be_read_leaves_all_others_in_force_p3() {
    let directory = TempDir::new().unwrap();
    let (file, aside) = (directory.path().join("orders"), directory.path().join("orders.refused"));
    let read = || OrdersFile::read(Some(directory.path()), &names(), &[]);
    // As a version wrote it that took a moment for possible which this one does not.
    let order = Order {
        number: Number { at: 253_402_300_800_000, by: Instance(7) },
        giver: Giver { replica: "10.0.3.1".into(), uid: None },
        what: What::Unfreeze,
    };
    let order = String::from_utf8(order.encode().to_vec()).unwrap();
    let unreadable = serde_json::json!({ "shared": { "order": order, "open": false } }).to_string();
    let contents = with_line(&some(), &unreadable);
    std::fs::write(&file, &contents).unwrap();
    let orders = read();
    assert!(orders.unknown_before > 0, "what it was is not known: what was ordered before now lifts nothing");
    assert_eq!(Orders { unknown_before: 0, ..orders.clone() }, some(), "nobody had frozen anything");
    assert_eq!(std::fs::read(&aside).unwrap(), contents, "nothing of it is lost");
    assert_eq!(read(), orders, "said once");
    // Frozen by order: only what is ordered from now on lifts that.
    let hour = Duration::from_secs(3600);
    std::fs::write(&file, with_line(&Orders { frozen: Some(hour), ..some() }, &unreadable)).unwrap();
    let orders = read();
    assert!(orders.frozen.is_some_and(|frozen| frozen >= hour) && orders.forced == some().forced, "{orders:?}");
    assert!(orders.frozen_because.is_some_and(|because| because.contains("line 2 cannot be read")));
    // What may keep something from changing is not known.
    for line in [r#"{"withdraw_prefix": "10.244.1.0/40"}"#, r#"{"melt": 1}"#] {
        std::fs::write(&file, with_line(&some(), line)).unwrap();
        let orders = read();
        let because = orders.frozen_because.clone().unwrap();
        assert!(
            because.contains("Everything else of it stands") && because.contains("fingerpost unfreeze"),
            "{because}"
        );
        assert_eq!((&orders.forced, &orders.denied, &orders.shared), (&some().forced, &some().denied, &shared()));
    }
}

proptest! {
    #[test]
    fn no_contents_panic(contents in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&contents, &names(), &[]);
    }
}
