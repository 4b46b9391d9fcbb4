//! The log of a view: which slot changed at which position.

use crate::table::SlotId;
use std::collections::VecDeque;

/// A position in a view's log; grows for as long as the view lives. 0 is before every change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub u64);

const SEGMENT: usize = 4096;

/// Positions `start..head`, in segments that are dropped from the front.
#[derive(Debug)]
pub(super) struct SegLog {
    segments: VecDeque<Box<[SlotId]>>,
    start: u64,
    head: u64,
}

impl SegLog {
    pub(super) fn new() -> Self {
        // Position 0 is never given, so that an entry with position 0 has never changed.
        SegLog { segments: VecDeque::new(), start: 0, head: 1 }
    }

    /// The position that the next change will get.
    pub(super) fn head(&self) -> Seq {
        Seq(self.head)
    }

    /// The first position that is still there.
    pub(super) fn start(&self) -> Seq {
        Seq(self.start)
    }

    pub(super) fn push(&mut self, slot: SlotId) -> Seq {
        let offset = (self.head - self.start) as usize;
        if offset / SEGMENT == self.segments.len() {
            self.segments.push_back(vec![SlotId(0); SEGMENT].into_boxed_slice());
        }
        if let Some(segment) = self.segments.get_mut(offset / SEGMENT) {
            segment[offset % SEGMENT] = slot;
        }
        let position = Seq(self.head);
        self.head += 1;
        position
    }

    pub(super) fn at(&self, position: u64) -> Option<SlotId> {
        let offset = position.checked_sub(self.start)? as usize;
        if position >= self.head {
            return None;
        }
        self.segments.get(offset / SEGMENT)?.get(offset % SEGMENT).copied()
    }

    /// Drops whole segments before `position`.
    pub(super) fn trim(&mut self, position: Seq) {
        while self.start + SEGMENT as u64 <= position.0 && self.segments.pop_front().is_some() {
            self.start += SEGMENT as u64;
        }
    }
}
