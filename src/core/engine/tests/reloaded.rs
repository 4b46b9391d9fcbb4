//! Reloads through the guard (P3): the fence, policies, and gateways' choice of them.

use super::super::{Command, Effect, GatewaySettings, Holds, Role, Settings, Waits};
use super::guarded::{SOURCE, World, settings};
use crate::model::{Family, GatewayId, PerFamily};
use crate::policy::{Match, Policy, Rule, Set};
use crate::table::{Allowed, ChangeKind, Fence};
use crate::view::Exclusion;

#[test]
fn a_reload_of_the_fence_goes_through_the_guard_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    let settings = Settings { fence: Fence::default(), ..settings() };
    world.engine.reconfigure(world.now, settings, &mut world.effects);
    assert_eq!((world.routes(), world.held()), (19, 19));
    let held = |effect: &Effect| matches!(effect, Effect::Held(SOURCE, ChangeKind::Withdrawal, 19, _));
    assert_eq!(world.effects.iter().filter(|effect| held(effect)).count(), 1, "one line for the wave");
}

/// Settings with one gateway of this policy.
pub(super) fn told(policy: &str, rules: &[(&str, Policy)]) -> Settings {
    Settings {
        policies: rules.iter().map(|(name, policy)| ((*name).to_owned(), policy.clone())).collect(),
        gateways: vec![GatewaySettings {
            id: GatewayId(1),
            name: "core".into(),
            policy: policy.into(),
            drain: false,
            exclusion: Exclusion::NOTHING,
            max_prefix: PerFamily::default(),
        }],
        ..settings()
    }
}

pub(super) fn exported(world: &World) -> usize {
    world.engine.gateway_rows()[0].exported[Family::Ipv4]
}

#[test]
fn a_reload_of_a_policy_goes_through_the_guard_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    let reload = |world: &mut World, policy: &str, rules: &[(&str, Policy)]| {
        world.engine.reconfigure(world.now, told(policy, rules), &mut world.effects);
    };
    reload(&mut world, "all", &[("all", Policy::accept_all())]);
    assert_eq!((exported(&world), world.engine.reload_holds()), (19, &[][..]));
    let few = Match {
        prefixes: vec![Allowed { within: "10.244.0.0/22".parse().unwrap(), lengths: 24..=24 }],
        ..Match::default()
    };
    let but_few = Policy {
        rules: vec![
            Rule { matcher: few, set: Set::default(), accept: false },
            Rule { matcher: Match::default(), set: Set { med: Some(7), ..Set::default() }, accept: true },
        ],
    };
    reload(&mut world, "all", &[("all", but_few.clone())]);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (15, 0), "four of nineteen may go");
    reload(&mut world, "all", &[("all", Policy::default())]);
    assert_eq!((exported(&world), world.engine.reload_holds()[0].withdrawn), (15, 15));
    reload(&mut world, "none", &[("none", Policy::default())]);
    let hold = &world.engine.reload_holds()[0];
    assert_eq!((exported(&world), hold.what.as_str(), hold.of), (15, "gateway core", 15), "nor by another name");
    assert_eq!(world.command(&Command::Approve(Holds::Reload)), 1);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (0, 0));
}

#[test]
fn a_frozen_engine_takes_no_policy_until_it_is_let_go() {
    let mut world = World::new(None);
    world.list(0..19);
    world.engine.reconfigure(world.now, told("all", &[("all", Policy::accept_all())]), &mut world.effects);
    world.command(&Command::Freeze);
    let one = Match { hosts: vec!["host-003".into()], ..Match::default() };
    let but_one = Policy {
        rules: vec![
            Rule { matcher: one, set: Set::default(), accept: false },
            Rule { matcher: Match::default(), set: Set::default(), accept: true },
        ],
    };
    world.engine.reconfigure(world.now, told("all", &[("all", but_one)]), &mut world.effects);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (19, 1));
    world.command(&Command::Unfreeze);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (18, 0));
}

#[test]
fn a_reload_of_attached_goes_through_the_guard_and_waits_while_frozen_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    let settings = |attached: &[&str]| {
        let mut settings = told("all", &[("all", Policy::accept_all())]);
        let attached = attached.iter().map(|subnet| subnet.parse().unwrap()).collect();
        settings.gateways[0].exclusion = Exclusion { own: Vec::new(), attached };
        settings
    };
    let reload = |world: &mut World, attached: &[&str]| {
        world.engine.reconfigure(world.now, settings(attached), &mut world.effects);
    };
    let attached = |world: &World| world.engine.in_force.gateways[0].exclusion.attached.len();
    reload(&mut world, &[]);
    reload(&mut world, &["10.99.0.0/24"]);
    let hold = &world.engine.reload_holds()[0];
    assert_eq!((hold.what.as_str(), hold.withdrawn, hold.of), ("gateway core", 19, 19));
    assert_eq!(attached(&world), 0);
    reload(&mut world, &["10.168.0.0/28", "10.168.0.16/29"]);
    assert_eq!((world.engine.reload_holds().len(), attached(&world)), (0, 2), "it leaves all that there is");
    world.command(&Command::Freeze);
    reload(&mut world, &["10.168.0.0/28"]);
    assert_eq!((world.engine.reload_holds().len(), attached(&world)), (1, 2));
    world.command(&Command::Unfreeze);
    assert_eq!((world.engine.reload_holds().len(), attached(&world)), (0, 1), "three of nineteen may go");
}

#[test]
fn a_frozen_engine_changes_no_attribute_either() {
    let mut world = World::new(None);
    world.list(0..19);
    world.engine.reconfigure(world.now, told("all", &[("all", Policy::accept_all())]), &mut world.effects);
    world.command(&Command::Freeze);
    let set = Set { med: Some(7), ..Set::default() };
    let marked = Policy { rules: vec![Rule { matcher: Match::default(), set, accept: true }] };
    world.engine.reconfigure(world.now, told("all", &[("all", marked.clone())]), &mut world.effects);
    assert_eq!(world.engine.in_force.policies["all"], Policy::accept_all());
    world.command(&Command::Unfreeze);
    assert_eq!((&world.engine.in_force.policies["all"], world.engine.reload_holds().len()), (&marked, 0));
    // Nor when a person approves it meanwhile: that counts once the freeze ends.
    world.command(&Command::Freeze);
    let nothing = Policy::default();
    world.engine.reconfigure(world.now, told("all", &[("all", nothing.clone())]), &mut world.effects);
    assert_eq!((world.command(&Command::Approve(Holds::All)), world.command(&Command::Approve(Holds::Reload))), (1, 0));
    assert_eq!(world.engine.in_force.policies["all"], marked);
    world.command(&Command::Unfreeze);
    assert_eq!((&world.engine.in_force.policies["all"], world.engine.reload_holds().len()), (&nothing, 0));
}

/// Freeze and doubt overlap, and whichever ends last lets go what was approved meanwhile (world 1774 of several replicas).
#[test]
fn p3_p7_an_approved_reload_waits_for_the_end_of_a_freeze_and_for_who_leads() {
    let (unsure, standby) = (Role::Unsure { ordinal: 1 }, Role::Standby { term: 1, ordinal: 1 });
    for lifted_first in [true, false] {
        let mut world = World::new(None);
        world.take_role(standby);
        world.list(0..19);
        let all = Policy::accept_all();
        world.engine.reconfigure(world.now, told("all", &[("all", all.clone())]), &mut world.effects);
        world.command(&Command::Freeze);
        let nothing = Policy::default();
        world.engine.reconfigure(world.now, told("all", &[("all", nothing.clone())]), &mut world.effects);
        world.take_role(unsure);
        assert_eq!(world.command(&Command::Approve(Holds::All)), 1);
        if lifted_first {
            world.command(&Command::Unfreeze);
        } else {
            world.take_role(standby);
        }
        assert_eq!(world.engine.in_force.policies["all"], all, "lifted first: {lifted_first}");
        assert_eq!(world.engine.reload_holds().len(), 1);
        world.command(&Command::Unfreeze);
        world.take_role(standby);
        assert_eq!((&world.engine.in_force.policies["all"], world.engine.reload_holds().len()), (&nothing, 0));
    }
}

#[test]
fn a_gateway_under_another_name_is_the_same_to_the_guard_p3() {
    let mut world = World::new(None);
    world.list(0..19);
    let named = |id: u32, address: &str, policy: &str| {
        let mut settings = told(policy, &[("all", Policy::accept_all()), ("none", Policy::default())]);
        settings.gateways[0].id = GatewayId(id);
        settings.gateways[0].exclusion.own = vec![address.parse().unwrap()];
        settings
    };
    world.engine.reconfigure(world.now, named(1, "10.99.0.1", "all"), &mut world.effects);
    world.engine.reconfigure(world.now, named(2, "10.99.0.1", "none"), &mut world.effects);
    assert_eq!((exported(&world), world.engine.reload_holds()[0].withdrawn), (19, 19));
    world.engine.reconfigure(world.now, named(2, "10.99.0.1", "all"), &mut world.effects);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (19, 0));
    world.engine.reconfigure(world.now, named(3, "10.99.0.2", "none"), &mut world.effects);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (0, 0), "another one was never told anything");
}

/// Forty gateways of this policy, half of which are hosts themselves.
fn forty(policy: &str) -> Settings {
    let few = Match {
        prefixes: vec![Allowed { within: "10.244.0.0/22".parse().unwrap(), lengths: 24..=24 }],
        ..Match::default()
    };
    let few = Policy { rules: vec![Rule { matcher: few, set: Set::default(), accept: true }] };
    let mut settings = told(policy, &[("all", Policy::accept_all()), ("few", few)]);
    let gateway = settings.gateways.remove(0);
    let named = |n: u32| GatewaySettings {
        id: GatewayId(n),
        name: format!("gateway-{n:02}"),
        exclusion: Exclusion { own: vec![format!("10.168.0.{n}").parse().unwrap()], attached: Vec::new() },
        ..gateway.clone()
    };
    settings.gateways = (0..40).map(named).collect();
    settings
}

#[test]
fn gateways_that_go_from_one_policy_to_another_share_one_walk_of_the_routes() {
    let mut world = World::new(None);
    world.list(0..20);
    world.engine.reconfigure(world.now, forty("all"), &mut world.effects);
    let before = world.engine.walks();
    world.engine.reconfigure(world.now, forty("few"), &mut world.effects);
    assert_eq!(world.engine.walks() - before, 1);
    // And what each is not told anyhow is counted for each.
    let holds = world.engine.reload_holds();
    let counted = |n: usize| (holds[n].withdrawn, holds[n].of);
    assert_eq!((holds.len(), counted(2), counted(10), counted(30)), (40, (16, 19), (15, 19), (16, 20)));
}

#[test]
fn a_reload_that_changes_a_policy_and_no_choice_walks_once_for_the_policy() {
    let mut world = World::new(None);
    world.list(0..20);
    world.engine.reconfigure(world.now, forty("all"), &mut world.effects);
    let before = world.engine.walks();
    let mut other = forty("all");
    other.policies.insert("all".into(), Policy::default());
    world.engine.reconfigure(world.now, other, &mut world.effects);
    assert_eq!((world.engine.walks() - before, world.engine.reload_holds().len()), (1, 1));
}

#[test]
fn settings_are_said_to_be_in_force_once_nothing_of_them_waits() {
    let mut world = World::new(None);
    world.list(0..19);
    let reload = |world: &mut World, policy: &str| {
        let settings = told(policy, &[("all", Policy::accept_all()), ("none", Policy::default())]);
        world.engine.reconfigure(world.now, settings, &mut world.effects);
    };
    let core = || vec!["gateway core".to_owned()];
    assert_eq!(world.said(), [], "of the first nothing is said");
    reload(&mut world, "all");
    assert_eq!(world.said(), [None]);
    reload(&mut world, "none");
    assert_eq!(world.said(), [Some(Waits::Person(core()))]);
    world.command(&Command::Freeze);
    reload(&mut world, "none");
    assert_eq!(world.said(), [Some(Waits::Unfreeze(core()))]);
    world.command(&Command::Approve(Holds::Reload));
    assert_eq!((world.said(), exported(&world)), (vec![], 19));
    world.command(&Command::Unfreeze);
    assert_eq!((world.said(), exported(&world)), (vec![None], 0));
    reload(&mut world, "all");
    world.said();
    world.engine.take_role(world.now, Role::Unsure { ordinal: 1 }, &mut world.effects);
    reload(&mut world, "none");
    assert_eq!(world.said(), [Some(Waits::Leader(core()))]);
}
