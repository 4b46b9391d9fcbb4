use super::*;
use crate::model::Instance;
use crate::orders::Decided;
use crate::source::{ClusterId, Rev};
use crate::table::Target;
use proptest::prelude::*;

const WALL: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

#[derive(Clone, Debug)]
enum Step {
    Take(Order),
    Give(What),
    Close(Number),
    Forget(u64),
    Recall,
}

fn what() -> impl Strategy<Value = What> {
    let target = (0..4u8).prop_map(|n| Target::Prefix(format!("10.0.{n}.0/24").parse().unwrap()));
    let gateway = (0..3u8).prop_map(|n| Arc::<str>::from(format!("gw-{n}")));
    let decided = any::<(bool, bool)>().prop_map(|(approved, is_of_a_file)| {
        let (source, cluster) = ("prod".into(), ClusterId(u64::from(!is_of_a_file)));
        What::Decide(Arc::new(Decided { approved, source, cluster, revision: Rev(1), changes: Vec::new() }))
    });
    prop_oneof![
        Just(What::Freeze),
        Just(What::Unfreeze),
        target.clone().prop_map(What::Withdraw),
        target.prop_map(What::Restore),
        gateway.clone().prop_map(What::Drain),
        gateway.prop_map(What::Undrain),
        decided,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = (0..400u64).prop_map(|hours| WALL + hours * HOUR);
    let number = (at.clone(), 0..3u128).prop_map(|(at, by)| Number { at, by: Instance(by) });
    let giver = || Giver { replica: "10.0.3.9".into(), uid: None };
    let order = (number.clone(), what()).prop_map(move |(number, what)| Order { number, giver: giver(), what });
    prop_oneof![
        6 => order.prop_map(Step::Take),
        3 => what().prop_map(Step::Give),
        1 => number.prop_map(Step::Close),
        1 => at.prop_map(Step::Forget),
        1 => Just(Step::Recall),
    ]
}

proptest! {
    /// What is looked up, instead of walking through all that is known for each order that comes, is what a walk would find.
    #[test]
    fn what_is_counted_as_it_comes_and_goes_is_what_there_is(steps in proptest::collection::vec(step(), 0..60)) {
        let me = Replica { identity: "10.0.3.1".into(), instance: Instance(1) };
        let mut book = Book::default();
        for step in steps {
            match step {
                Step::Take(order) => _ = book.take(WALL, &order),
                Step::Give(what) => _ = book.give(WALL, &me, None, what),
                Step::Close(number) => book.close(number),
                Step::Forget(wall) => book.forget(wall),
                Step::Recall => book = Book::recalled(book.entries().cloned(), book.latest(), book.ended()),
            }
            let of = |wanted: Kind| {
                let alike = book.entries().filter(move |entry| kind(&entry.order.what) == Some(wanted));
                alike.map(|entry| (entry.order.number, entry.order.register())).collect::<BTreeSet<_>>()
            };
            for kind in [Kind::Withdrawn, Kind::Restored, Kind::Drained, Kind::Decided] {
                prop_assert_eq!(book.kinds.get(&kind).cloned().unwrap_or_default(), of(kind));
            }
            let open = book.entries().filter(|entry| entry.open);
            let open = open.map(|entry| (last_moment(&entry.order).unwrap(), entry.order.number));
            prop_assert_eq!(&book.open, &open.collect::<BTreeSet<_>>());
        }
    }
}
