//! What a restart must not forget (P3).

use super::world::{STATE, World, many};

#[tokio::test(flavor = "multi_thread")]
async fn c51_restarts_do_not_let_a_source_be_emptied_a_limits_worth_each_time_p3() {
    let mut world = World::ready_with(&many(100), "", STATE).await;
    world.until_kept(100).await;
    // A tenth of them each time: a fifth may go in an hour.
    for (hosts, announced) in [(90, 90), (81, 81), (73, 81)] {
        world.write_hosts(Some(&many(hosts)));
        world = world.restart("").await;
        world.until_listed().await;
        assert_eq!(world.announced().await.len(), announced, "of {hosts}");
        world.until_kept(announced).await;
    }
    assert_eq!(world.holds().await.len(), 8);
    world.write_hosts(Some(&many(81)));
    world.until_held(0).await;
}
