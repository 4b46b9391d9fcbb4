//! What chance alone brings about too rarely: after its last rest a seed's world meets one of these, by its number. Which seed has
//! which does not move what befalls it before.

use super::cluster::Cluster;
use std::time::Duration;

/// No host has ever been in this net.
const ELSEWHERE: u8 = 3;
/// After so long nobody knows any more who leads: a lease is over.
const LAPSES: Duration = Duration::from_secs(15);
/// Within that sessions stand again, and a process that does not reach its stores announces its snapshot, and leads if nobody else does.
const BEGINS: Duration = Duration::from_secs(60);
/// Within that a leader that has not read its sources has left the lead to one that has, and gateways have heard of it.
const YIELDS: Duration = Duration::from_secs(60);
/// The same of one that has lost them, and may have left the lead just before.
const YIELDS_AGAIN: Duration = Duration::from_secs(180);

impl Cluster {
    /// And a last rest.
    pub(super) fn encore(&mut self) {
        match self.worlds[0].seed % 8 {
            0 => self.begin_with_an_old_snapshot(),
            1 => self.lead_with_an_old_snapshot(),
            2 => self.lose_the_stores(),
            _ => return,
        }
        self.rest(true);
    }

    /// Nobody knows who leads, and sessions are new: gateways go by a standby that has read its sources, and not by an old snapshot.
    fn begin_with_an_old_snapshot(&mut self) {
        let r = self.miss_a_move();
        self.say(|| "the coordination store has no quorum".into());
        self.quorum_lost = true;
        self.begin_without_stores(r);
        self.wait(LAPSES);
        self.say(|| "the sessions of all others break".into());
        let others: Vec<usize> = self.others(r).collect();
        for n in 0..self.gateways() {
            others.iter().for_each(|other| self.worlds[*other].cut(n));
        }
        self.wait(BEGINS);
    }

    /// Nobody else reaches the coordination store, so that it leads; once others do again it leaves the lead to them.
    fn lead_with_an_old_snapshot(&mut self) {
        let r = self.miss_a_move();
        let others: Vec<usize> = self.others(r).collect();
        self.say(|| format!("only replica {r} reaches the coordination store"));
        others.iter().for_each(|other| self.seats[*other].is_cut = true);
        self.begin_without_stores(r);
        self.wait(BEGINS);
        self.say(|| "all reach it".into());
        others.iter().for_each(|other| self.seats[*other].is_cut = false);
        self.wait(YIELDS);
        self.excuse_nobody();
    }

    /// The leader does not reach its stores any more, and a host moves: it leaves the lead to those that hear of it.
    fn lose_the_stores(&mut self) {
        // Who has no session leaves the lead to nobody else that has none.
        self.rest_without(None, true);
        for n in 0..self.gateways() {
            self.worlds.iter_mut().for_each(|world| world.unstick(n));
        }
        self.wait(BEGINS);
        let Some(r) = self.leader() else { return };
        self.say(|| format!("replica {r} reaches the stores no more"));
        let world = &mut self.worlds[r];
        world.part.iter_mut().for_each(|part| part.has_no_store = true);
        (0..world.stores.len()).for_each(|n| world.wake(n));
        self.move_a_host();
        self.wait(YIELDS_AGAIN);
        assert_ne!(self.leader(), Some(r), "P7: replica {r} leads, has lost its sources, and others have not");
    }

    /// A replica that is away while a host moves. Among standbys that had read their sources gateways would prefer it to another one.
    fn miss_a_move(&mut self) -> usize {
        let r = self.dice.place(self.worlds.len() - 1);
        self.say(|| format!("replica {r} is killed"));
        self.kill(r);
        self.move_a_host();
        self.rest_without(Some(r), true);
        r
    }

    fn move_a_host(&mut self) {
        let host = self.any_host();
        self.say(|| format!("host {host} moves to net {ELSEWHERE}"));
        for source in 0..self.sources() {
            self.write(|world| world.put(source, host, ELSEWHERE, &[2 * host, 2 * host + 1]));
        }
    }

    fn begin_without_stores(&mut self, r: usize) {
        self.say(|| format!("replica {r} begins again, and does not reach the stores"));
        self.worlds[r].part.iter_mut().for_each(|part| part.has_no_store = true);
        self.start(r);
    }

    fn others(&self, r: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.worlds.len()).filter(move |other| *other != r)
    }
}
