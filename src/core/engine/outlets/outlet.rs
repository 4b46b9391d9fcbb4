//! One gateway as the engine sees it: its session, if one stands, and its feeds.

use super::super::views::{ViewId, Views};
use super::super::{Effect, GatewaySettings};
use super::pace::Pace;
use super::tally::{Counted, Tally};
use super::{Refusal, SessionNumber, SessionUp};
use crate::model::{Family, GatewayId, PerFamily, Time};
use crate::table::Table;
use crate::view::{CHUNK_BYTES, Chunk, Exclusion, Feed, Seq, Stamp, View};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Below this many octets in flight, a gateway is given more: two chunks are under way at the most.
const CREDIT: usize = CHUNK_BYTES;
/// A gateway without credit of which nothing was written for so long takes nothing.
const PATIENCE: Duration = Duration::from_secs(3);
/// What was written need not be reported before it is so much: who has no credit has more than this in flight, so the report
/// comes. Small changes, which concern everybody at once, are never reported one by one.
pub const REPORT: usize = CREDIT / 2;

pub(super) struct Session {
    pub(super) up: SessionUp,
    pub(super) feeds: PerFamily<Option<Feed>>,
    in_flight: usize,
    /// When something was written or handed out last.
    moved: Time,
    /// Since then it was said that it takes nothing.
    said_stuck: bool,
    /// How many octets were handed out.
    handed_out: u64,
    /// Where among all octets of the session the family's End-of-RIB ended, and the marker that was handed out last.
    completed: PerFamily<Option<(u64, u64)>>,
    /// Something was not said, and is to be told again once it is known who leads.
    lacks: bool,
    pub(super) sent: PerFamily<u64>,
    /// Whether it was said that the cap holds routes back.
    capped: PerFamily<bool>,
}

pub(in super::super) struct Outlet {
    pub(in super::super) settings: GatewaySettings,
    /// The views of its policy.
    pub(super) views: PerFamily<Option<ViewId>>,
    pub(super) session: Option<Session>,
    /// Families whose End-of-RIB an earlier session of this process brought: what the gateway keeps since is ours.
    pub(super) completed: PerFamily<bool>,
    /// The range that it came from, and its address.
    pub(super) joined: Option<(GatewayId, IpAddr)>,
    counted: PerFamily<Option<Counted>>,
    pub(super) pace: Pace,
    /// How many sessions have ended.
    pub(super) ended: u64,
}

impl Outlet {
    pub(super) fn new(
        settings: GatewaySettings,
        views: PerFamily<Option<ViewId>>,
        joined: Option<(GatewayId, IpAddr)>,
    ) -> Self {
        let (completed, counted) = (PerFamily::default(), PerFamily::default());
        Outlet { settings, views, session: None, completed, joined, counted, pace: Pace::default(), ended: 0 }
    }

    fn view<'a>(&self, family: Family, views: &'a mut Views) -> Option<&'a mut View> {
        views.get_mut(self.views[family]?)
    }

    /// What its policy exports.
    pub(in super::super) fn exported<'a>(&self, family: Family, views: &'a Views) -> Option<&'a View> {
        views.get(self.views[family]?)
    }

    /// What it must not be told whatever session comes: by the configuration, and as a host that has one of its addresses.
    pub(in super::super) fn exclusion_without_session(&self, table: &Table) -> Exclusion {
        Self::with_other_addresses(self.settings.exclusion.clone(), table)
    }

    pub(in super::super) fn view_id(&self, family: Family) -> Option<ViewId> {
        self.views[family]
    }

    pub(in super::super) fn feed(&self, family: Family) -> Option<&Feed> {
        self.session.as_ref()?.feeds[family].as_ref()
    }

    fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.session.iter().flat_map(|session| session.feeds.iter().filter_map(|(_, feed)| feed.as_ref()))
    }

    pub(super) fn is_dumping(&self) -> bool {
        self.feeds().any(Feed::is_dumping)
    }

    /// Whether something is still to be said again with another stamp.
    pub(super) fn awaits_stamp(&self) -> bool {
        self.feeds().any(Feed::awaits_stamp)
    }

    /// Whether something is left to be said that there is time for.
    pub(super) fn is_unhurried(&self) -> bool {
        self.feeds().any(Feed::is_unhurried)
    }

    pub(super) fn is_capped(&self) -> bool {
        self.feeds().any(Feed::is_capped)
    }

    /// Who is at `address` may itself be a host, and be known by more addresses than that: a route via any of them would come
    /// back to it.
    fn exclusion(&self, address: IpAddr, table: &Table) -> Exclusion {
        let mut exclusion = self.settings.exclusion.clone();
        exclusion.own.push(address);
        Self::with_other_addresses(exclusion, table)
    }

    fn with_other_addresses(mut exclusion: Exclusion, table: &Table) -> Exclusion {
        let others: Vec<IpAddr> = exclusion.own.iter().flat_map(|own| table.other_addresses(*own)).collect();
        exclusion.own.extend(others);
        exclusion.own.sort_unstable();
        exclusion.own.dedup();
        exclusion
    }

    pub(super) fn up(&mut self, up: SessionUp, views: &mut Views, table: &Table) {
        let exclusion = self.exclusion(up.address, table);
        let feeds = PerFamily::from_fn(|family| {
            let encoding = up.families[family]?;
            let view = self.view(family, views)?;
            let mut feed = Feed::new(view, encoding, exclusion.clone(), up.enhanced_refresh);
            if let Some(limit) = self.settings.max_prefix[family] {
                feed.cap(view, table.slots(family), limit);
            }
            Some(feed)
        });
        self.session = Some(Session {
            up,
            feeds,
            in_flight: 0,
            moved: Time::ZERO,
            said_stuck: false,
            handed_out: 0,
            lacks: false,
            completed: PerFamily::default(),
            sent: PerFamily::default(),
            capped: PerFamily::default(),
        });
    }

    /// Whichever session stands.
    pub(super) fn end(&mut self) {
        self.end_session(|_| true);
    }

    pub(super) fn down(&mut self, number: SessionNumber) {
        self.end_session(|session| session.up.number == number);
    }

    /// Its number, if there was one that is to end.
    fn end_session(&mut self, ends: impl FnOnce(&mut Session) -> bool) -> Option<SessionNumber> {
        let session = self.session.take_if(ends)?;
        self.ended += 1;
        for (family, feed) in session.feeds.iter() {
            self.completed[family] |= feed.as_ref().is_some_and(Feed::is_complete);
        }
        Some(session.up.number)
    }

    /// None: whichever session stands.
    pub(super) fn refresh(&mut self, number: Option<SessionNumber>, family: Family, views: &mut Views) {
        let view = self.views[family].and_then(|id| views.get_mut(id));
        if let Some(session) = &mut self.session
            && number.is_none_or(|number| session.up.number == number)
            && let (Some(feed), Some(view)) = (&mut session.feeds[family], view)
        {
            feed.refresh(view);
        }
    }

    /// Everything again with this stamp, where it was told with another or something was not said; of a view that was not there
    /// then, nothing before the rest. The session's number, if it is over because only a new one helps.
    pub(super) fn restamp(
        &mut self,
        views: &mut Views,
        table: &Table,
        since: &[(ViewId, Seq)],
        stamp: Stamp,
    ) -> Option<SessionNumber> {
        let ended = self.start_over(views, table);
        let Some(session) = &mut self.session else { return ended };
        for (family, feed) in session.feeds.iter_mut() {
            let (Some(feed), Some(id)) = (feed, self.views[family]) else { continue };
            let since = since.iter().find(|(view, _)| *view == id).map(|(_, head)| *head);
            if let Some(view) = views.get_mut(id) {
                let since = since.unwrap_or(view.head());
                feed.restamp(view, since, stamp);
            }
        }
        ended
    }

    pub(super) fn written(&mut self, now: Time, number: SessionNumber, octets: usize) {
        if let Some(session) = self.session.as_mut().filter(|session| session.up.number == number) {
            session.in_flight = session.in_flight.saturating_sub(octets);
            (session.moved, session.said_stuck) = (now, false);
        }
    }

    /// Whether it has not taken anything for a while of what it was handed.
    pub(super) fn takes_nothing(&self, now: Time) -> bool {
        let stuck = |session: &Session| session.in_flight >= CREDIT && session.moved + PATIENCE <= now;
        self.session.as_ref().is_some_and(stuck)
    }

    /// From now on it was said; whether that is new.
    pub(super) fn note_taking_nothing(&mut self) -> bool {
        self.session.as_mut().is_some_and(|session| !std::mem::replace(&mut session.said_stuck, true))
    }

    /// Gives the gateway what `pull` finds in its feeds, if it has credit. True if there was anything.
    pub(super) fn hand_out(
        &mut self,
        now: Time,
        views: &mut Views,
        effects: &mut Vec<Effect>,
        mut pull: impl FnMut(&mut Feed, &mut View, Family) -> Option<Arc<Chunk>>,
    ) -> bool {
        let Some(session) = &mut self.session else { return false };
        let mut handed_out = false;
        for (family, feed) in session.feeds.iter_mut() {
            let Some(feed) = feed.as_mut().filter(|_| session.in_flight < CREDIT) else { continue };
            let Some(view) = self.views[family].and_then(|id| views.get_mut(id)) else { continue };
            let markers = feed.markers();
            if let Some(chunk) = pull(feed, view, family) {
                session.in_flight += chunk.bytes.len();
                session.moved = now;
                session.handed_out += chunk.bytes.len() as u64;
                session.sent[family] += chunk.ends.len() as u64;
                if feed.markers() > markers {
                    let last = session.handed_out;
                    let first = session.completed[family].map_or(last, |(first, _)| first);
                    session.completed[family] = Some((first, last));
                }
                effects.push(Effect::Send(self.settings.id, session.up.number, chunk));
                handed_out = true;
            }
        }
        handed_out
    }

    /// Nothing was said from there on. Everything is told again: `later`, if that can wait, as it can where no marker makes the gateway
    /// drop what it was not told. The session's number where only a new one helps: this one is over.
    pub(super) fn refused(
        &mut self,
        number: SessionNumber,
        refusal: Refusal,
        later: bool,
        views: &mut Views,
        table: &Table,
    ) -> Option<SessionNumber> {
        let session = self.session.as_mut().filter(|session| session.up.number == number)?;
        let Refusal { after, .. } = refusal;
        let (mut lost, mut is_vouched_for) = (false, false);
        for (family, feed) in session.feeds.iter_mut() {
            is_vouched_for |= feed.as_ref().is_some_and(Feed::is_vouched_for);
            let Some((first, last)) = session.completed[family] else { continue };
            is_vouched_for |= last > after;
            if first > after {
                // No bracket begins before the first End-of-RIB (RFC 7313 §4). And this session has not brought it.
                lost = true;
                *feed = None;
            }
        }
        session.lacks = true;
        if later && !lost && !is_vouched_for {
            return None;
        }
        if lost { self.end_session(|_| true) } else { self.start_over(views, table) }
    }

    /// Tells everything again where something was not said; the session's number, if it is over because only a new one helps.
    fn start_over(&mut self, views: &mut Views, table: &Table) -> Option<SessionNumber> {
        let session = self.session.as_mut()?;
        let mut lost = false;
        if std::mem::take(&mut session.lacks) {
            for (family, feed) in session.feeds.iter_mut() {
                let (Some(feed), Some(id)) = (feed, self.views[family]) else { continue };
                lost |= views.get_mut(id).is_none_or(|view| !feed.resynchronise(view, table.slots(family)));
            }
        }
        self.end_session(|_| lost)
    }

    /// A feed that trails too far starts over. The session's number where that is not possible: it is given up.
    pub(super) fn check_lag(&mut self, views: &mut Views, table: &Table) -> Option<SessionNumber> {
        let session = self.session.as_mut()?;
        let mut too_slow = false;
        for (family, feed) in session.feeds.iter_mut() {
            let (Some(feed), Some(id)) = (feed, self.views[family]) else { continue };
            let Some(view) = views.get_mut(id) else { continue };
            too_slow |= feed.lag(view) > view.longest_lag() && !feed.resynchronise(view, table.slots(family));
        }
        self.end_session(|_| too_slow)
    }

    /// Says where the cap begins or ceases to hold routes back.
    pub(super) fn check_caps(&mut self, effects: &mut Vec<Effect>) {
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter() {
            let withheld = feed.as_ref().map_or(0, Feed::withheld);
            if std::mem::replace(&mut session.capped[family], withheld > 0) != (withheld > 0) {
                effects.push(Effect::Capped(self.settings.name.clone(), family, withheld));
            }
        }
    }

    /// Another most of routes: standing sessions keep what they were told.
    pub(super) fn change_caps(&mut self, views: &Views) {
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            if let (Some(feed), Some(view)) = (feed, self.views[family].and_then(|id| views.get(id))) {
                feed.change_cap(view, self.settings.max_prefix[family]);
            }
        }
    }

    /// Another policy or exclusion than with the views `before`: the feeds of a standing session move.
    pub(super) fn follow_settings(&mut self, before: PerFamily<Option<ViewId>>, views: &mut Views, table: &Table) {
        let Some(address) = self.session.as_ref().map(|session| session.up.address) else { return };
        let exclusion = self.exclusion(address, table);
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            let (Some(feed), Some(now)) = (feed, self.views[family]) else { continue };
            let (slots, exclusion) = (table.slots(family), exclusion.clone());
            if let Some((before, view)) = before[family].and_then(|before| views.pair(before, now)) {
                feed.change_view(before, view, slots, exclusion);
            } else if let Some(view) = views.get_mut(now) {
                feed.move_to(view, slots, exclusion);
            }
        }
    }

    /// Some host came, went or has another address: a gateway that is a host itself may have to be told less, or more.
    pub(super) fn follow_hosts(&mut self, views: &mut Views, table: &Table) {
        let Some(address) = self.session.as_ref().map(|session| session.up.address) else { return };
        let exclusion = self.exclusion(address, table);
        let Some(session) = &mut self.session else { return };
        for (family, feed) in session.feeds.iter_mut() {
            if let (Some(feed), Some(view)) = (feed, self.views[family].and_then(|id| views.get_mut(id))) {
                feed.exclude(view, table.slots(family), &exclusion);
            }
        }
    }

    fn count(&self, family: Family) -> Option<Counted> {
        self.views[family].zip(self.feed(family)).map(|(view, feed)| Counted::of(view, feed))
    }

    /// Says where its feeds are, after whatever may have moved them.
    pub(super) fn recount(&mut self, tally: &mut Tally) {
        for family in Family::ALL {
            let now = self.count(family);
            tally.count(family, std::mem::replace(&mut self.counted[family], now), now);
        }
    }

    /// Whether nothing has moved since.
    pub(super) fn is_counted(&self) -> bool {
        Family::ALL.into_iter().all(|family| self.counted[family] == self.count(family))
    }

    /// The tally is made anew.
    pub(super) fn forget_count(&mut self) {
        self.counted = PerFamily::default();
    }
}
