//! The ring, whatever is put into it.

use super::event::{Happened, RecordEvent, shortened_text};
use super::{Timeline, TimelineLimits};
use crate::model::{SourceId, Time};
use proptest::prelude::*;
use std::time::Duration;

fn event(octets: usize) -> Happened {
    Happened::Record(RecordEvent { source: SourceId(0), key: vec![b'k'; octets].into(), prefix: None, text: "".into() })
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Limit(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0..3000usize).prop_map(Step::Push),
        1 => (0..20usize, 0..10_000usize).prop_map(|(events, octets)| Step::Limit(events, octets)),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Bounded in events and octets after every step, in order, and what is gone is counted.
    #[test]
    fn the_timeline_keeps_its_bounds_and_its_order_under_any_history_p8(steps in steps()) {
        let mut timeline = Timeline::default();
        let mut pushed = 0;
        for (n, step) in (0..).zip(steps) {
            match step {
                Step::Push(octets) => {
                    pushed += u64::from(timeline.is_on());
                    timeline.push(Time::since_start(Duration::from_secs(n)), event(octets));
                }
                Step::Limit(events, octets) => timeline.limit(TimelineLimits { events, octets }),
            }
            let (events, octets) = timeline.size();
            prop_assert!(events <= timeline.limits.events && octets <= timeline.limits.octets);
            prop_assert_eq!(octets, timeline.events.iter().map(super::Event::octets).sum::<usize>());
            prop_assert_eq!(timeline.newest(), pushed);
            let numbers: Vec<u64> = timeline.events.iter().map(|event| event.number).collect();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b));
            for after in 0..=pushed {
                let found = timeline.after(after).count() as u64;
                // One that is too large for all the room there is leaves a hole.
                prop_assert!(found + timeline.lost_after(after) <= pushed - after);
                prop_assert!(found > 0 || timeline.lost_after(after) == pushed - after || !numbers.is_empty());
            }
        }
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    for n in 500..520 {
        let text = format!("{}{}", "x".repeat(n), "ä".repeat(10));
        let cut = shortened_text(&text);
        assert!(
            cut.len() <= 512 && text.starts_with(&*cut) && cut.len() + 2 > text.len().min(512),
            "{n}: {}",
            cut.len()
        );
    }
    assert_eq!(&*shortened_text("short"), "short");
}
