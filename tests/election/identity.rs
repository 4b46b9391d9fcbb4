//! Two processes of one identity.

use crate::elector::{Elector, Judge};
use crate::server::{Cluster, Etcd};
use fingerpost_core::model::Leadership;

on_each_etcd!(a_second_process_of_one_identity_is_refused_and_says_why);

async fn a_second_process_of_one_identity_is_refused_and_says_why(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let first = Elector::start(&cluster, 1);
    let term = first.until_leads().await;
    let electors = [first, Elector::start(&cluster, 1)];
    let judge = Judge::of(&electors);
    let trouble = electors[1].until_trouble("another process takes part in the election as 10.0.3.1").await;
    assert!(trouble.contains("election identity of its own"), "{trouble}");
    assert!(
        electors[1].roles().iter().all(|role| matches!(role, Leadership::Unsure { .. })),
        "{:?}",
        electors[1].roles()
    );
    assert_eq!(electors[0].leads(), Some(term));
    judge.says_nothing();
    // The other one ends, by whatever way.
    let [first, second] = electors;
    drop(first);
    assert_eq!(Some(second.until_leads().await), term.next());
    second.until_well().await;
}
