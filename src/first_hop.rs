//! By which router this machine reaches an address, as its kernel says now.

use std::net::IpAddr;

/// The routers by which the kernel would send to each of these, as it does from the address beside it, if any; none where it is on the same link, or the
/// kernel does not say.
#[cfg(target_os = "linux")]
pub(crate) async fn routers(to: &[(IpAddr, Option<IpAddr>)]) -> Vec<Option<IpAddr>> {
    use std::time::Duration;
    use tokio::time::timeout;
    use tokio_util::task::AbortOnDropHandle;
    const ANSWER: Duration = Duration::from_millis(500);
    let Ok((connection, handle, _)) = rtnetlink::new_connection() else { return vec![None; to.len()] };
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut routers = Vec::with_capacity(to.len());
    for (address, from) in to {
        // Answers come at once; a sandbox may give none.
        let router = timeout(ANSWER, linux::router(&handle, *address, *from)).await;
        let Ok(router) = router else { break };
        routers.push(router.unwrap_or_default());
    }
    routers.resize(to.len(), None);
    routers
}

/// Elsewhere nobody is asked.
#[cfg(not(target_os = "linux"))]
pub(crate) async fn routers(to: &[(IpAddr, Option<IpAddr>)]) -> Vec<Option<IpAddr>> {
    vec![None; to.len()]
}

#[cfg(target_os = "linux")]
mod linux {
    use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteVia};
    use rtnetlink::{Handle, RouteMessageBuilder};
    use std::net::IpAddr;
    use std::pin::pin;
    use tokio_stream::StreamExt;

    pub(super) type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

    /// None: it is on the same link.
    pub(super) async fn router(handle: &Handle, to: IpAddr, from: Option<IpAddr>) -> Result<Option<IpAddr>, NoAnswer> {
        let length = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let mut question = RouteMessageBuilder::<IpAddr>::new().destination_prefix(to, length(to))?;
        if let Some(from) = from.filter(|from| !from.is_unspecified()) {
            question = question.source_prefix(from, length(from))?;
        }
        let mut answers = pin!(handle.route().get(question.build()).execute());
        let route = answers.next().await.ok_or("no route")??;
        Ok(route.attributes.iter().find_map(router_in))
    }

    /// A router of the other family stands in an attribute of its own (RFC 8950 in the kernel).
    pub(super) fn router_in(attribute: &RouteAttribute) -> Option<IpAddr> {
        match attribute {
            RouteAttribute::Gateway(RouteAddress::Inet(router)) | RouteAttribute::Via(RouteVia::Inet(router)) => {
                Some((*router).into())
            }
            RouteAttribute::Gateway(RouteAddress::Inet6(router)) | RouteAttribute::Via(RouteVia::Inet6(router)) => {
                Some((*router).into())
            }
            _ => None,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteVia};
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_router_is_found_in_what_the_kernel_answers_in_both_families() {
        let (four, six) = (Ipv4Addr::new(10, 168, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
        let routers = [
            (RouteAttribute::Gateway(RouteAddress::Inet(four)), Some(four.into())),
            (RouteAttribute::Gateway(RouteAddress::Inet6(six)), Some(six.into())),
            (RouteAttribute::Via(RouteVia::Inet6(six)), Some(six.into())),
            (RouteAttribute::Destination(RouteAddress::Inet(four)), None),
            (RouteAttribute::PrefSource(RouteAddress::Inet(four)), None),
        ];
        for (attribute, router) in routers {
            assert_eq!(linux::router_in(&attribute), router, "{attribute:?}");
        }
    }

    #[tokio::test]
    async fn the_kernel_answers_that_this_machine_is_reached_without_a_router() {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        let connection = tokio::spawn(connection);
        for here in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let answer = linux::router(&handle, here, None).await;
            assert_eq!(answer.unwrap(), None, "{here}");
            assert_eq!(routers(&[(here, None), (here, Some(here))]).await, [None, None]);
        }
        connection.abort();
    }
}
