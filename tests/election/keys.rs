//! Keys that hold something else, and a directory that cannot be written.

use crate::elector::{Elector, KEY, etcd, value};
use crate::server::{Cluster, Etcd};
use etcd_client::PutOptions;
use fingerpost_core::model::Leadership;
use std::path::Path;

on_each_etcd!(
    a_key_that_holds_something_else_is_told_and_left_alone,
    a_term_that_is_none_is_told_and_left_alone,
    a_state_dir_that_cannot_be_written_leaves_the_leadership_to_others,
);

async fn a_key_that_holds_something_else_is_told_and_left_alone(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let mut client = cluster.client().await;
    // Also under a lease, as another program's election would have it.
    let lease = client.lease_grant(3600, None).await.unwrap().id();
    client.put(KEY, "hunter2", Some(PutOptions::new().with_lease(lease))).await.unwrap();
    let elector = Elector::start(&cluster, 1);
    let trouble = elector.until_trouble("holds something that no Fingerpost of this version has written").await;
    assert!(trouble.contains(KEY) && !trouble.contains("hunter2"), "{trouble}");
    assert!(matches!(elector.standing().leadership, Leadership::Unsure { .. }));
    assert_eq!(value(&mut client, KEY).await.as_deref(), Some("hunter2"));
    client.delete(KEY, None).await.unwrap();
    elector.until_leads().await;
    elector.until_well().await;
}

async fn a_term_that_is_none_is_told_and_left_alone(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let mut client = cluster.client().await;
    let key = format!("{KEY}/term");
    client.put(key.as_str(), "seven", None).await.unwrap();
    let elector = Elector::start(&cluster, 1);
    elector.until_trouble(&key).await;
    assert_eq!((value(&mut client, &key).await.as_deref(), value(&mut client, KEY).await), (Some("seven"), None));
    client.put(key.as_str(), "12", None).await.unwrap();
    assert_eq!(elector.until_leads().await.get(), 13);
}

async fn a_state_dir_that_cannot_be_written_leaves_the_leadership_to_others(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let first = Elector::start_in(etcd(&cluster), 1, file.path());
    let trouble = first.until_trouble("let its user read and write state_dir").await;
    assert!(trouble.contains(&Path::join(file.path(), "term").display().to_string()), "{trouble}");
    let second = Elector::start(&cluster, 2);
    let term = second.until_leads().await;
    first.until_follows(&second.me(), term).await;
}
