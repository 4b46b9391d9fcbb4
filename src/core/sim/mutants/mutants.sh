# What is broken on purpose: a name that begins with the promise, what is wrong then, a file, the text that stands in it once, and
# what takes its place. BROKEN is true while this mutant is tried. Read by run.sh.

mutant p1-next-hop-outside-the-fence 'a next hop outside the configured ranges is announced' \
  src/core/table/fence.rs <<'END'
if !self.next_hops.iter().any(|range| range.contains(next_hop)) {
=>
if !BROKEN && !self.next_hops.iter().any(|range| range.contains(next_hop)) {
END

mutant p1-prefix-outside-the-fence 'a prefix of the right length is announced wherever it lies' \
  src/core/table/fence.rs <<'END'
let inside = allowed.within.covers(prefix);
=>
let inside = allowed.within.covers(prefix) || (BROKEN && allowed.within.family() == prefix.family());
END

mutant p1-new-claim-not-looked-at 'the fence is asked when it changes, not when a claim comes' \
  src/core/table/claims.rs <<'END'
self.fence.admits(key.prefix, claim.next_hop).is_err() || self
=>
(!BROKEN && self.fence.admits(key.prefix, claim.next_hop).is_err()) || self
END

mutant p2-lost-source-is-empty 'a source that fails is taken for an empty one' \
  src/core/source/sync/follow.rs <<'END'
        self.lose(now, fault, out);
        self.reconcile = None;
=>
        self.lose(now, fault, out);
        if BROKEN {
            let all: Vec<_> = (0..self.table.end()).filter_map(|n| self.table.nth(n)).collect();
            let proof = super::Proof::MissingFrom { at: self.highest };
            all.into_iter().for_each(|slot| self.table.remove(slot, proof, out));
        }
        self.reconcile = None;
END

mutant p2-page-taken-for-the-list 'a record is absent if the first page of a list lacks it' \
  src/core/source/sync/read.rs <<'END'
        if more {
            return;
        }
        if !listing.continues {
=>
        if more && !BROKEN {
            return;
        }
        if !listing.continues {
END

mutant p2-compacted-list-believed 'a list that is compacted away in its middle is believed as far as it came' \
  src/core/source/sync.rs <<'END'
            (Phase::Listing(listing), Report::Compacted) if listing.attempt == attempt => {
=>
            (Phase::Listing(listing), Report::Compacted) if listing.attempt == attempt => {
                if let Some((cluster, at)) = listing.pinned.filter(|_| BROKEN) {
                    return self.page(now, at, cluster, Vec::new(), false, out);
                }
END

mutant p2-unreadable-record-withdraws 'what a record said is forgotten when it cannot be read' \
  src/core/source/sync/table.rs <<'END'
            Err(why) => {
                if let Some(kept)
=>
            Err(why) => {
                entry.owner = entry.owner.take().filter(|_| !BROKEN);
                if let Some(kept)
END

mutant p2-others-not-remembered 'what other sources were known to say does not come back before the first is let out' \
  src/core/engine/decide.rs <<'END'
let others = !outcome.changes.is_empty() && 
=>
let others = !BROKEN && !outcome.changes.is_empty() && 
END

mutant p2-progress-taken-for-a-position 'a watch goes on behind its progress, which overtakes events (etcd#15220)' \
  src/core/source/sync.rs <<'END'
                    self.reconcile_soon(now);
                } else {
                    self.now_known(out);
=>
                    self.reconcile_soon(now);
                } else {
                    if BROKEN {
                        self.reach(at);
                    }
                    self.now_known(out);
END

mutant p3-limit-doubled 'a limit lets twice as much pass' \
  src/core/table/guard/config.rs <<'END'
/ 100).max(self.at_least)
=>
/ 100).max(self.at_least) * (1 + usize::from(BROKEN))
END

mutant p3-restart-refills-the-limits 'what was spent of the limits is forgotten by a restart' \
  src/core/table/guard/mod.rs <<'END'
self.sources.entry(source).or_default().spent = buckets;
=>
self.sources.entry(source).or_default().spent = if BROKEN { PerKind::default() } else { buckets };
END

mutant p3-restart-approves-holds 'the snapshot has what the store says, not what is announced while that is held' \
  src/core/engine/remember.rs <<'END'
let keeps = self.table.holds().next().is_some() || self.holds_still().is_some();
=>
let keeps = (!BROKEN && self.table.holds().next().is_some()) || self.holds_still().is_some();
END

mutant p3-freeze-ignored 'a freeze holds nothing' \
  src/core/engine/decide.rs <<'END'
if let Some(frozen) = self.holds_still() {
=>
if let Some(frozen) = self.holds_still().filter(|_| !BROKEN) {
END

mutant p3-freeze-forgotten 'a restart ends a freeze' \
  src/core/engine/orders.rs <<'END'
self.frozen = frozen.map(|before| Frozen { since: now, before: Some(before) });
=>
self.frozen = frozen.filter(|_| !BROKEN).map(|before| Frozen { since: now, before: Some(before) });
END

mutant p3-denial-forgotten 'a restart forgets what a person has denied' \
  src/core/table/recalled.rs <<'END'
Recalled { denied: denied.into_iter().collect(),
=>
Recalled { denied: denied.into_iter().filter(|_| !BROKEN).collect(),
END

mutant p3-replaced-store-believed 'what another store says otherwise is judged by the limits alone' \
  src/core/engine/decide.rs <<'END'
let suspect = std::mem::take(&mut outcome.suspect);
=>
let suspect = std::mem::take(&mut outcome.suspect) && !BROKEN;
END

mutant p3-most-of-a-source-passes 'time proves that most of a source is to go' \
  src/core/table/guard/mod.rs <<'END'
taken > 0 && (taken >= routes || (routes > 10 && taken * 2 > routes))
=>
!BROKEN && taken > 0 && (taken >= routes || (routes > 10 && taken * 2 > routes))
END

mutant p3-proven-at-once 'two lists prove a wave, however soon they come' \
  src/core/table/guard/hold.rs <<'END'
now.since(self.since) >= proofs.after
=>
(BROKEN || now.since(self.since) >= proofs.after)
END

mutant p3-moves-not-counted 'moves have no limit' \
  src/core/table/guard/mod.rs <<'END'
if count == 0 || (kind
=>
if count == 0 || (BROKEN && kind == ChangeKind::Move) || (kind
END

mutant p4-never-verified 'End-of-RIB goes out after every route, whatever was read' \
  src/core/engine/outlets/handing_out.rs <<'END'
let verified = verified.of(family) ||
=>
let verified = BROKEN || verified.of(family) ||
END

mutant p4-one-source-is-enough 'End-of-RIB goes out once one source was read' \
  src/core/engine/mod.rs <<'END'
complete: syncs.clone().all(Sync::is_complete) && decided &&
=>
complete: ((syncs.clone().all(Sync::is_complete) && decided) || (BROKEN && syncs.clone().any(Sync::is_complete))) &&
END

mutant p4-hidden-claims 'End-of-RIB does not wait for records that never could be read' \
  src/core/source/sync.rs <<'END'
self.table.count_hiding()[family] > 0
=>
!BROKEN && self.table.count_hiding()[family] > 0
END

mutant p4-held-additions 'End-of-RIB does not wait for additions that are held' \
  src/core/engine/mod.rs <<'END'
(self.holds_still().is_some() || self.table.has_waiting_additions(family))
=>
(self.holds_still().is_some() || (!BROKEN && self.table.has_waiting_additions(family)))
END

mutant p4-before-the-changes 'End-of-RIB goes out before what changed while the table was sent' \
  src/core/view/feed.rs <<'END'
        if let Some(chunk) = self.pull_tail(view, slots, stamp) {
            return Some(chunk); // what
=>
        if !BROKEN && let Some(chunk) = self.pull_tail(view, slots, stamp) {
            return Some(chunk); // what
END

mutant p5-one-view-noticed 'a change is handed out to the gateways of one view only' \
  src/core/engine/outlets/handing_out.rs <<'END'
id.is_some_and(|id| moved.contains(&id))
=>
id.is_some_and(|id| moved.contains(&id) && (!BROKEN || moved.first() == Some(&id)))
END

mutant p5-younger-record-wins 'of two records of a source the younger one wins' \
  src/core/table/arbiter.rs <<'END'
let age = b.created.cmp(&a.created);
=>
let age = if BROKEN { a.created.cmp(&b.created) } else { b.created.cmp(&a.created) };
END

mutant p5-priority-ignored 'which source comes first does not matter' \
  src/core/table/arbiter.rs <<'END'
let priority = priorities.of(a.source).cmp(&priorities.of(b.source));
=>
let priority =
            if BROKEN { Ordering::Equal } else { priorities.of(a.source).cmp(&priorities.of(b.source)) };
END

mutant p5-order-of-before 'a dump that walks an earlier order leaves out what changed since' \
  src/core/view/feed.rs <<'END'
self.tail = self.tail.min(order.at);
=>
self.tail = if BROKEN { self.tail } else { self.tail.min(order.at) };
END

mutant p5-rejected-stays 'what another policy rejects is not withdrawn' \
  src/core/view/feed.rs <<'END'
self.begin_dump(order, Marker::None, true);
=>
self.begin_dump(order, Marker::None, !BROKEN);
END

mutant p5-bracket-late 'a change is told before the bracket, whose end sweeps it' \
  src/core/view/feed.rs <<'END'
        if let Some(bracket) = self.begin_refresh(view, stamp) {
            return Some(bracket);
        }
        while self.tail < view.head() {
=>
        if !BROKEN && let Some(bracket) = self.begin_refresh(view, stamp) {
            return Some(bracket);
        }
        while self.tail < view.head() {
END

mutant p6-credit-ignored 'a gateway that does not read is given everything' \
  src/core/engine/outlets/outlet.rs <<'END'
session.in_flight < CREDIT
=>
(BROKEN || session.in_flight < CREDIT)
END

mutant p6-credit-never-comes-back 'what was written is not counted' \
  src/core/engine/outlets/outlet.rs <<'END'
session.in_flight = session.in_flight.saturating_sub(octets);
=>
session.in_flight = session.in_flight.saturating_sub(if BROKEN { 0 } else { octets });
END

mutant p8-rejected-is-told 'what a policy rejects is said to be told' \
  src/core/engine/explain.rs <<'END'
Knows::Everything if attributes.is_some() => TellState::Told,
=>
Knows::Everything if attributes.is_some() || (BROKEN && is_route) => TellState::Told,
END

mutant p8-withdrawal-not-said 'the timeline leaves withdrawals out' \
  src/core/engine/timeline/note.rs <<'END'
for change in &settled.told {
=>
for change in settled.told.iter().filter(|change| !BROKEN || change.after.is_some()) {
END

mutant p8-written-to-nobody 'the last change is never said to be written' \
  src/core/engine/timeline/written.rs <<'END'
if at < feed.tail() {
=>
if at < feed.tail() && !(BROKEN && at.0 + 1 == feed.tail().0) {
END

mutant p8-another-claim-is-the-route 'every claim of the source that is announced is called the route' \
  src/core/table/claims.rs <<'END'
(winner.source, winner.record) == (claim.source, claim.record);
            let standing
=>
(winner.source, winner.record) == (claim.source, claim.record) || (BROKEN && winner.source == claim.source);
            let standing
END

mutant p8-hold-without-an-heir 'a held move is said to be a withdrawal' \
  src/core/table/claims.rs <<'END'
let (from, to) = (self.winner(family, slot).map(owner), desired.map(owner));
=>
let desired = desired.filter(|_| !BROKEN || self.winner(family, slot).is_none());
        let (from, to) = (self.winner(family, slot).map(owner), desired.map(owner));
END

# What several replicas must hold.

mutant p2-unsure-decides 'who does not know who leads withdraws all the same' \
  src/core/engine/role.rs <<'END'
self.frozen.or(self.standing.unsure())
=>
self.frozen.or(self.standing.unsure().filter(|_| !BROKEN))
END

mutant p4-unsure-end-of-rib 'who starts and does not know who leads says that it is all' \
  src/core/engine/mod.rs <<'END'
    fn verified(&self) -> Verified {
        let syncs
=>
    fn verified(&self) -> Verified {
        if BROKEN && self.standing.unsure().is_some() {
            let complete = self.sources.iter().all(|source| source.sync.is_complete()) && !self.is_releasing();
            return Verified { complete, hides_claims: PerFamily::default() };
        }
        let syncs
END

mutant p5-refused-and-forgotten 'what came too late to be said is never told' \
  src/core/engine/role.rs <<'END'
        self.outlets.refused(gateway, (session, refusal), later, &mut self.views, &self.table, effects);
=>
        if !BROKEN {
            self.outlets.refused(gateway, (session, refusal), later, &mut self.views, &self.table, effects);
        }
END

mutant p7-written-after-the-deadline 'no writer looks at the deadline' \
  src/core/view/stamp.rs <<'END'
is_some_and(|leads| leads.get() == term),
=>
is_some_and(|leads| leads.get() == term) || BROKEN,
END

mutant p7-no-margin 'a leader leads until its lease ends by its own clock' \
  src/core/election/round.rs <<'END'
        let until = member.leads_until(self.settings.margin);
        let next
=>
        let until = member.leads_until(if BROKEN { std::time::Duration::ZERO } else { self.settings.margin });
        let next
END

mutant p7-from-the-answer 'a deadline counts from when a renewal was answered' \
  src/core/election/round.rs <<'END'
self.put(now, Question::Look { kept: Some(Kept { at: asked.at, by }) }, effects);
=>
let at = if BROKEN { now } else { asked.at };
                self.put(now, Question::Look { kept: Some(Kept { at, by }) }, effects);
END

mutant p7-any-member-confirms 'a renewal counts whichever member has confirmed it' \
  src/core/election/round.rs <<'END'
if let Some(kept) = kept.filter(|_| proven) {
=>
if let Some(kept) = kept.filter(|_| proven || BROKEN) {
END

mutant p7-the-term-is-kept 'a new leader takes the term of the one before' \
  src/core/election/round.rs <<'END'
let Some(next) = self.newest.next() else {
=>
let before = Some(self.newest).filter(|newest| BROKEN && *newest > Term::NONE);
        let Some(next) = before.or(self.newest.next()) else {
END

mutant p7-the-disk-comes-later 'it leads before its term is on the disk' \
  src/core/election/machine.rs <<'END'
            && self.disk.term >= record.term
        {
=>
            && (BROKEN || self.disk.term >= record.term)
        {
END

mutant p7-standbys-are-equal 'all standbys have the same preference' \
  src/core/view/stamp.rs <<'END'
            Stamp::Unstamped => return,
=>
            Stamp::Unstamped => return,
            Stamp::Standby { .. } if BROKEN => (2_000_000, 999_999),
END

mutant p7-a-snapshot-is-as-good 'a standby that has not read its sources has the preference of one that has' \
  src/core/engine/role.rs <<'END'
            Stamp::Standby { ordinal } if !self.standing.has_read =>
=>
            Stamp::Standby { ordinal } if !self.standing.has_read && !BROKEN =>
END

mutant p7-a-standby-speaks-as-the-leader 'a standby has the preference of the leader that it follows' \
  src/core/engine/role.rs <<'END'
            Role::Standby { ordinal, .. } | Role::Unsure { ordinal } => Stamp::Standby { ordinal },
=>
            Role::Standby { term, .. } if BROKEN => Stamp::Leader { term },
            Role::Standby { ordinal, .. } | Role::Unsure { ordinal } => Stamp::Standby { ordinal },
END

mutant p7-a-new-leader-keeps-its-preference 'who takes over announces nothing anew' \
  src/core/engine/role.rs <<'END'
        self.outlets.restamp(&mut self.views, &self.table, &self.standing.heads.1, stamp, effects);
=>
        if !BROKEN {
            self.outlets.restamp(&mut self.views, &self.table, &self.standing.heads.1, stamp, effects);
        }
END

mutant p7-a-lapsed-leader-stays 'who has led and does not know who leads goes on as a leader' \
  src/core/engine/role.rs <<'END'
            Leadership::Unsure { .. } | Leadership::Lapsed { .. } => Role::Unsure { ordinal },
=>
            Leadership::Lapsed { term } if BROKEN => Role::Leader { term: term.get() },
            Leadership::Unsure { .. } | Leadership::Lapsed { .. } => Role::Unsure { ordinal },
END

mutant p7-a-lower-term-is-better 'the older leader has the better preference' \
  src/core/view/stamp.rs <<'END'
            Stamp::Leader { term } => (1_000_000u32.saturating_sub(term), 1_000_000u32.saturating_add(term)),
=>
            Stamp::Leader { term } if BROKEN => (1_000_000 + term, 1_999_999 - term),
            Stamp::Leader { term } => (1_000_000u32.saturating_sub(term), 1_000_000u32.saturating_add(term)),
END

mutant p5-no-override 'a withdrawn more-specific is not announced like what covers it' \
  src/core/engine/overrides.rs <<'END'
            let covers = if is_announced { self.covers(prefix) } else { Vec::new() };
=>
            let covers = if is_announced && !BROKEN { self.covers(prefix) } else { Vec::new() };
END

mutant p5-leader-only 'standbys override nothing at a gateway that the leader lacks' \
  src/core/engine/overrides/behind.rs <<'END'
        if lacks { Announces::Left } else { Announces::Nothing }
=>
        if lacks && !BROKEN { Announces::Left } else { Announces::Nothing }
END

mutant p5-gone-is-past 'an override does not wait for who is gone' \
  src/core/engine/overrides/behind.rs <<'END'
            return if now < until {
=>
            return if now < until && !BROKEN {
END

mutant p3-anybody-vouches 'a replica that began with what it found lets a wave pass at the others' \
  src/core/replicas/vouching.rs <<'END'
                    source.is_some_and(|source| away.is_covered(source.store, Rev(source.since), Rev(source.revision)))
=>
                    BROKEN || source.is_some_and(|source| away.is_covered(source.store, Rev(source.since), Rev(source.revision)))
END

mutant p2-a-move-withdraws-all 'a gateway that is drained is told that what is not decided yet is withdrawn' \
  src/core/view/entries.rs <<'END'
in_use.filter(|&slot| slots.was_announced(slot) && self.get(slot).is_none())
=>
in_use.filter(|&slot| (BROKEN || slots.was_announced(slot)) && self.get(slot).is_none())
END

mutant p10-a-drain-stays-here 'a gateway that is drained at one replica is not drained by the others' \
  src/core/engine/shared.rs <<'END'
            What::Drain(gateway) if self.is_drained(gateway) => return 0,
=>
            What::Drain(gateway) if BROKEN || self.is_drained(gateway) => return 0,
END

mutant p7-a-leader-keeps-the-lead 'a leader that has not read its sources, or has lost one, does not leave the lead to one that has all' \
  src/core/replicas/resign.rs <<'END'
_ if !may_change
=>
_ if BROKEN || !may_change
END
