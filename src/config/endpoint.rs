//! etcd's endpoints: URLs of which only scheme, host and port are meant.

use super::check::{Check, Field, Table};
use super::scalar::quoted;
use std::net::{IpAddr, Ipv6Addr};

/// A list of endpoints, without slashes at their ends.
pub(super) fn list(field: &Field<'_>, check: &mut Check) -> Option<Vec<String>> {
    let mut seen: Vec<String> = Vec::new();
    let list = field.list("https://HOST:PORT", check, |item, check| {
        let endpoint = one(item, check)?;
        if seen.contains(&endpoint) {
            check.fault(&item.path, format!("{endpoint} stands twice"), "remove one of the two");
        }
        seen.push(endpoint.clone());
        Some(endpoint)
    })?;
    if list.is_empty() {
        check.fault(&field.path, "is empty", "list at least one, such as https://10.0.3.2:2379");
        return None;
    }
    Some(list)
}

fn one(field: &Field<'_>, check: &mut Check) -> Option<String> {
    let text = field.text(check)?;
    if text.contains('@') {
        // What stands before the @ may be a password: not repeated.
        check.fault(&field.path, "has a user or password in it", "give user and password_file beside endpoints");
        return None;
    }
    let endpoint = text.trim_end_matches('/');
    let authority = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let Some((host, port)) = authority.and_then(|authority| authority.rsplit_once(':')) else {
        let message = format!("{} is not an http or https URL with host and port", quoted(text));
        check.fault(&field.path, message, "write one such as https://10.0.3.2:2379");
        return None;
    };
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let known = bracketed.map_or(is_name(host), |host| host.parse::<Ipv6Addr>().is_ok());
    let port = port.parse::<u16>().ok().filter(|port| *port != 0 && text.is_ascii());
    if !known || port.is_none() {
        let message = format!("{} is not an http or https URL with host and port", quoted(text));
        check.fault(&field.path, message, "write one such as https://etcd-0.example:2379 or https://[fd00::2]:2379");
        return None;
    }
    Some(endpoint.to_owned())
}

/// A host name or an IPv4 address.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Scheme, TLS and password must fit together.
pub(super) fn agree(endpoints: &[String], table: &Table<'_>, check: &mut Check) {
    let plain = endpoints.iter().position(|endpoint| endpoint.starts_with("http://"));
    let secure = endpoints.iter().position(|endpoint| endpoint.starts_with("https://"));
    let item = |n: usize| format!("{}[{n}]", table.path("endpoints"));
    if let (Some(n), Some(_)) = (plain, secure) {
        check.fault(&item(n), "http and https are mixed", "use one of them for all endpoints");
        return;
    }
    match (plain, table.get("tls")) {
        (None, None) => {
            let hint = "give tls: {ca: FILE}, the authority that signed etcd's certificate";
            check.key_fault(&table.path("tls"), "missing: the endpoints are https", hint);
        }
        (Some(_), Some(tls)) => {
            check.key_fault(&tls.path, "the endpoints are http", "write https:// endpoints, or remove tls");
        }
        (Some(n), None) if table.get("password_file").is_some() && !endpoints.iter().all(|url| is_loopback(url)) => {
            check.warn(&item(n), "the password crosses the network in clear text", "use https");
        }
        _ => {}
    }
}

fn is_loopback(endpoint: &str) -> bool {
    host(endpoint) == "localhost" || address(endpoint).is_some_and(|address| address.is_loopback())
}

/// The address in a checked endpoint, unless it is a name.
pub(super) fn address(endpoint: &str) -> Option<IpAddr> {
    host(endpoint).parse().ok()
}

fn host(endpoint: &str) -> &str {
    let authority = endpoint.split_once("://").map_or(endpoint, |(_, authority)| authority);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']'])
}
