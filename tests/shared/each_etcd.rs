//! Tests that run on an old and a new etcd.

/// A test of each of these functions per version of etcd: `c34_…::on_3_4` and `c34_…::on_3_6`.
macro_rules! on_each_etcd {
    ($($test:ident),* $(,)?) => { $(
        mod $test {
            use crate::server::Etcd;

            #[tokio::test]
            async fn on_3_4() {
                if Etcd::V3_4.is_available(concat!(stringify!($test), "::on_3_4")) {
                    super::$test(Etcd::V3_4).await;
                }
            }

            #[tokio::test]
            async fn on_3_6() {
                if Etcd::V3_6.is_available(concat!(stringify!($test), "::on_3_6")) {
                    super::$test(Etcd::V3_6).await;
                }
            }
        }
    )* };
}
