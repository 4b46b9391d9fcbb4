//! A restart with another configuration is judged like a reload (P3).

use super::super::{Command, Effect, GatewaySettings, Holds, Input, Orders, SessionNumber, SessionUp, Settings, Waits};
use super::guarded::{PATIENCE, World};
use super::reloaded::{exported, told};
use super::settings::encoding;
use crate::model::{Family, GatewayId, PerFamily};
use crate::policy::Policy;
use crate::table::{ChangeKind, Fence, GuardConfig};
use crate::view::Exclusion;
use std::time::Duration;

fn all() -> Settings {
    told("all", &[("all", Policy::accept_all())])
}

/// The process after one with nineteen routes and the settings `before`, with others.
fn succeeded(before: Settings, now: Settings) -> World {
    let mut first = World::new(None);
    first.list(0..19);
    first.engine.reconfigure(first.now, before.clone(), &mut first.effects);
    let sources = World::sources();
    let mut world = World::with(first.snapshot(), Settings { sources, ..now.as_before(&before) });
    world.engine.succeed(world.now, now, &mut world.effects);
    world
}

#[test]
fn a_restart_with_a_policy_that_lets_nothing_through_is_held_p3() {
    for store in [true, false] {
        let mut world = succeeded(all(), told("none", &[("all", Policy::accept_all()), ("none", Policy::default())]));
        assert!(!world.engine.is_as_wanted());
        if store {
            world.list(0..19)
        } else {
            world.wait(PATIENCE)
        }
        let hold = &world.engine.reload_holds()[0];
        assert_eq!((exported(&world), hold.what.as_str(), hold.withdrawn, hold.of), (19, "gateway core", 19, 19));
        assert_eq!(world.command(&Command::Approve(Holds::Reload)), 1);
        assert_eq!((exported(&world), world.engine.is_as_wanted()), (0, true));
    }
}

#[test]
fn a_restart_with_a_narrower_fence_or_attached_or_another_name_is_held_p3() {
    let mut fenced = succeeded(all(), Settings { fence: Fence::default(), ..all() });
    fenced.list(0..19);
    assert_eq!((fenced.routes(), fenced.held()), (19, 19));
    let mut attached = all();
    attached.gateways[0].exclusion = Exclusion { own: Vec::new(), attached: vec!["10.99.0.0/24".parse().unwrap()] };
    let mut attached = succeeded(all(), attached);
    attached.list(0..19);
    assert_eq!((exported(&attached), attached.engine.reload_holds().len()), (19, 1));
    let own = |mut settings: Settings, id: u32| {
        settings.gateways[0].id = GatewayId(id);
        settings.gateways[0].exclusion.own = vec!["10.99.0.1".parse().unwrap()];
        settings
    };
    let mut renamed = succeeded(own(all(), 1), own(told("all", &[("all", Policy::default())]), 2));
    renamed.list(0..19);
    assert_eq!((exported(&renamed), renamed.engine.reload_holds().len()), (19, 1));
}

#[test]
fn what_a_reload_may_change_a_restart_may_and_a_new_gateway_is_told_everything() {
    let mut settings = all();
    settings.gateways.push(settings.gateways[0].clone());
    settings.gateways[1].id = GatewayId(2);
    let mut world = succeeded(all(), settings);
    world.list(0..18);
    assert!(world.engine.is_as_wanted() && world.engine.is_verified(Family::Ipv4));
    let told: Vec<usize> = world.engine.gateway_rows().iter().map(|row| row.exported[Family::Ipv4]).collect();
    assert_eq!(told, [18, 18]);
}

#[test]
fn where_nothing_is_known_of_the_routes_the_new_settings_are_in_force_at_once() {
    let mut world = World::with(None, Settings { sources: World::sources(), ..all().as_before(&all()) });
    world.engine.succeed(world.now, told("all", &[("all", Policy::default())]), &mut world.effects);
    assert!(world.engine.is_as_wanted());
    world.list(0..19);
    assert_eq!((world.routes(), exported(&world)), (19, 0));
}

#[test]
fn a_reload_before_the_routes_are_here_is_what_is_judged() {
    let mut world = succeeded(all(), told("all", &[("all", Policy::default())]));
    world.engine.reconfigure(world.now, all(), &mut world.effects);
    world.list(0..19);
    assert!(world.engine.is_as_wanted());
    assert_eq!(exported(&world), 19);
}

/// Its session may come up before the routes are here.
#[test]
fn a_gateway_of_a_reload_before_the_routes_are_here_is_known_at_once_p5() {
    let mut world = succeeded(all(), all());
    let mut settings = all();
    settings.gateways.push(GatewaySettings { id: GatewayId(2), name: "edge".into(), ..settings.gateways[0].clone() });
    world.engine.reconfigure(world.now, settings, &mut world.effects);
    let families = PerFamily { ipv4: Some(encoding(0)), ipv6: None };
    let address = "10.170.0.2".parse().unwrap();
    let up = SessionUp { number: SessionNumber(1), families, enhanced_refresh: false, address };
    world.engine.handle(world.now, Input::SessionUp(GatewayId(2), up), &mut world.effects);
    world.list(0..19);
    while world.engine.work(&mut world.effects) {}
    let sent = |effect: &Effect| matches!(effect, Effect::Send(GatewayId(2), SessionNumber(1), _));
    assert!(world.effects.iter().any(sent));
    let rows = world.engine.gateway_rows();
    let edge = rows.iter().find(|row| row.name == "edge").unwrap();
    assert_eq!((edge.exported[Family::Ipv4], edge.caught_up[Family::Ipv4]), (19, Some(true)));
}

#[test]
fn a_frozen_process_that_restarts_with_another_policy_changes_nothing_p3() {
    let mut world = succeeded(all(), told("all", &[("all", Policy::default())]));
    world.engine.resume(world.now, Orders { frozen: Some(Duration::ZERO), ..Orders::default() });
    let mut guard = GuardConfig::default();
    guard.set_limit(ChangeKind::Withdrawal, None);
    let open = Settings { guard, ..told("all", &[("all", Policy::default())]) };
    world.engine.reconfigure(world.now, open, &mut world.effects);
    world.list(0..19);
    assert_eq!((exported(&world), world.engine.reload_holds().len()), (19, 1));
    world.command(&Command::Unfreeze);
    assert_eq!(exported(&world), 0, "without a limit it passes");
}

#[test]
fn other_settings_are_said_to_wait_for_the_routes_and_then_for_a_person() {
    let mut world = succeeded(all(), told("all", &[("all", Policy::default())]));
    assert_eq!(world.said(), [Some(Waits::Routes(vec!["prod".into()]))]);
    world.list(0..19);
    assert_eq!(world.said(), [Some(Waits::Person(vec!["policy all".into()]))]);
    world.command(&Command::Approve(Holds::All));
    assert_eq!(world.said(), [None]);
}
