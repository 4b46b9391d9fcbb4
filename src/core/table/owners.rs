//! Hosts with their next hop, stored once and counted.

use crate::model::{Claim, HostName, Labels};
use crate::replicas::Digest;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

/// A host together with its next hop in one family.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Owner {
    /// The host.
    pub host: HostName,
    /// Its address in the family of the prefixes it owns here.
    pub next_hop: IpAddr,
    /// Its address in the other family, if it has one.
    pub other_address: Option<IpAddr>,
    /// Its labels.
    pub labels: Arc<Labels>,
}

impl Owner {
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.other_address.into_iter().chain([self.next_hop])
    }

    fn has(&self, address: IpAddr) -> bool {
        self.addresses().any(|own| own == address)
    }

    fn other_address_than(&self, address: IpAddr) -> Option<IpAddr> {
        self.addresses().find(|own| *own != address)
    }
}

/// An [`Owner`] by number; used again once no claim and no winner refers to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerId(u32);

/// All owners that some claim or winner names.
#[derive(Default, Debug)]
pub struct Owners {
    entries: Vec<(Owner, u32)>,
    /// Of each entry's host and next hop.
    digests: Vec<Digest>,
    numbers: HashMap<Owner, OwnerId>,
    free: Vec<OwnerId>,
    /// Nobody refers to them. Until the next settling they keep their numbers: what goes and comes back meanwhile is the same.
    idle: Vec<OwnerId>,
    /// Consecutive claims usually share their owner: spares hashing.
    last: Option<OwnerId>,
    /// By each of their addresses: its hash, and who has it.
    by_address: HashTable<(u64, OwnerId)>,
    hasher: DefaultHashBuilder,
    /// How often one was added or given up.
    changes: u64,
}

impl Owners {
    /// The owner of a number that is in use.
    pub fn get(&self, id: OwnerId) -> &Owner {
        &self.entries[id.0 as usize].0
    }

    /// Of its host and next hop.
    pub(super) fn digest(&self, id: OwnerId) -> Digest {
        self.digests[id.0 as usize]
    }

    /// Another number than before: some host, or an address of one, came or went.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The other addresses of the hosts that have this one; possibly more than once. One that somebody else has, too, is not among
    /// them: no record can say that another host's address is its own. What is idle counts.
    pub(super) fn other_addresses(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> {
        let others = move |owner: &Owner| owner.other_address_than(address);
        self.at(address).filter_map(others).filter(move |other| self.at(*other).all(|owner| owner.has(address)))
    }

    fn at(&self, address: IpAddr) -> impl Iterator<Item = &Owner> {
        let found = self.by_address.iter_hash(self.hasher.hash_one(address)).map(|&(_, id)| self.get(id));
        // By chance owners without this address may be among them.
        found.filter(move |owner| owner.has(address))
    }

    /// The number of the claim's owner, counted once more.
    pub(super) fn acquire(&mut self, claim: &Claim) -> OwnerId {
        let same = |owner: &Owner| {
            (owner.next_hop, owner.other_address) == (claim.next_hop, claim.other_address)
                && owner.host == claim.host
                && owner.labels == claim.labels
        };
        if let Some(id) = self.last.filter(|&id| self.entries[id.0 as usize].1 > 0 && same(self.get(id))) {
            self.entries[id.0 as usize].1 += 1;
            return id;
        }
        let Claim { host, next_hop, other_address, labels, .. } = claim;
        let (host, labels) = (host.clone(), Arc::clone(labels));
        let owner = Owner { host, next_hop: *next_hop, other_address: *other_address, labels };
        let id = match self.numbers.get(&owner) {
            Some(&id) => id,
            None => self.insert(owner),
        };
        self.entries[id.0 as usize].1 += 1;
        self.last = Some(id);
        id
    }

    /// One reference more to an owner that has some.
    pub(super) fn retain(&mut self, id: OwnerId) {
        self.entries[id.0 as usize].1 += 1;
    }

    /// One reference less. The number is not used again before [`Owners::sweep`].
    pub(super) fn release(&mut self, id: OwnerId) {
        let (_, count) = &mut self.entries[id.0 as usize];
        *count -= 1;
        if *count == 0 {
            self.idle.push(id);
        }
    }

    /// Gives the numbers free that nobody refers to.
    pub(super) fn sweep(&mut self) {
        for id in self.idle.drain(..) {
            let (owner, count) = &self.entries[id.0 as usize];
            if *count == 0 && self.numbers.remove(owner).is_some() {
                for address in owner.addresses() {
                    let found = self.by_address.find_entry(self.hasher.hash_one(address), |(_, other)| *other == id);
                    if let Ok(found) = found {
                        found.remove();
                    }
                }
                self.changes += 1;
                self.free.push(id);
            }
        }
    }

    fn insert(&mut self, owner: Owner) -> OwnerId {
        let digest = Digest::of_hop(&owner.host, owner.next_hop);
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id.0 as usize].0 = owner.clone();
                self.digests[id.0 as usize] = digest;
                id
            }
            None => {
                let id = OwnerId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
                self.entries.push((owner.clone(), 0));
                self.digests.push(digest);
                id
            }
        };
        for address in owner.addresses() {
            let hash = self.hasher.hash_one(address);
            self.by_address.insert_unique(hash, (hash, id), |(hash, _)| *hash);
        }
        self.changes += 1;
        self.numbers.insert(owner, id);
        id
    }
}
