//! `sources`: where the records are kept.

use super::check::{Check, Field, Table};
use super::endpoint;
use super::keys::{self, Keys};
use super::tree::Value;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Where its records are.
    pub store: Store,
    /// Where two sources claim one prefix, the greater number wins. 0 to 65,535, 100 unless set.
    pub priority: u16,
    /// Whether an empty list is believed at the first start.
    pub allow_empty: bool,
    /// Whether IPv4 subnets of a host that has only an IPv6 address have that for a next hop (RFC 8950).
    pub ipv4_via_ipv6: bool,
}

/// The stores that can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Store {
    /// etcd.
    Etcd(Etcd),
    /// A YAML file, in its own form.
    File(FileStore),
}

/// An etcd cluster and what is kept in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Etcd {
    /// `http://HOST:PORT` or `https://HOST:PORT`, all of one scheme; never empty.
    pub endpoints: Vec<String>,
    /// Set where the endpoints are https.
    pub tls: Option<Tls>,
    /// User and password.
    pub login: Option<Login>,
    /// How records are to be understood.
    pub schema: Schema,
}

impl Etcd {
    /// The endpoints that are addresses, not names, by their place in the list: no route may lead to them (promise P1).
    pub fn addresses(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        let addresses = self.endpoints.iter().map(|endpoint| endpoint::address(endpoint));
        addresses.enumerate().filter_map(|(n, address)| Some((n, address?)))
    }
}

/// How etcd proves who it is, and we to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The authorities that may sign etcd's certificate.
    pub ca: PathBuf,
    /// Our certificate and its key.
    pub identity: Option<Identity>,
    /// The name in etcd's certificate, where it differs from the endpoint's host.
    pub server_name: Option<String>,
}

/// Our certificate and its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The certificate (chain).
    pub cert: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// etcd's role-based access.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The file with the password, read at each connection.
    pub password_file: PathBuf,
}

/// How an etcd's keys and values are to be understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Schema {
    /// Fingerpost's own: `PREFIX/hosts/HOST`.
    Native {
        /// Without a slash at its end; `/fingerpost` unless set.
        prefix: String,
    },
    /// flannel's etcd backend: `PREFIX/subnets/SUBNET`.
    Flannel {
        /// Without a slash at its end; `/coreos.com/network` unless set.
        prefix: String,
    },
}

/// A file that is polled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileStore {
    /// The file.
    pub path: PathBuf,
    /// How often its content is compared; 1 s unless set.
    pub poll: Duration,
}

pub(super) fn read(field: &Field<'_>, check: &mut Check) -> Option<Source> {
    let table = field.table(&keys::SOURCE, check)?;
    let schema = table.get("schema").map(|field| schema(&field, check));
    let store = match (table.get("etcd"), table.get("file")) {
        (Some(_), None) if cfg!(not(feature = "etcd")) => {
            check.key_fault(
                &table.path("etcd"),
                "is not possible: this fingerpost was built without etcd",
                "build it with the feature etcd",
            );
            None
        }
        (Some(etcd), None) => {
            if schema.is_none() {
                let hint = "say how the records are written, such as {flannel: {}} or {native: {}}";
                check.key_fault(&table.path("schema"), "missing", hint);
            }
            self::etcd(&etcd, schema.flatten(), check).map(Store::Etcd)
        }
        (None, Some(file)) => {
            if schema.is_some() {
                check.key_fault(&table.path("schema"), "a file has its own form", "remove schema");
            }
            self::file(&file, check).map(Store::File)
        }
        (Some(_), Some(_)) => {
            check.key_fault(&table.path("file"), "etcd and file exclude each other", "make two sources of it");
            None
        }
        (None, None) => {
            if table.get("kubernetes").is_none() {
                check.key_fault(&table.path, "says not where its records are", "give it a key etcd or file");
            }
            None
        }
    };
    let priority = table.or("priority", 100, check, |field, check| {
        field.integer(0..=u16::MAX.into(), check).and_then(|number| u16::try_from(number).ok())
    });
    let allow_empty = table.or("allow_empty", false, check, Field::boolean);
    let ipv4_via_ipv6 = table.or("ipv4_via_ipv6", false, check, Field::boolean);
    Some(Source { store: store?, priority: priority?, allow_empty: allow_empty?, ipv4_via_ipv6: ipv4_via_ipv6? })
}

fn etcd(field: &Field<'_>, schema: Option<Schema>, check: &mut Check) -> Option<Etcd> {
    let table = field.table(&keys::ETCD, check)?;
    let endpoints = table.need("endpoints", "list at least one, such as https://10.0.3.2:2379", check, endpoint::list);
    let tls = table.maybe("tls", check, tls);
    let login = login(&table, check);
    if let Some(endpoints) = &endpoints {
        endpoint::agree(endpoints, &table, check);
    }
    Some(Etcd { endpoints: endpoints?, tls: tls?, login: login?, schema: schema? })
}

fn tls(field: &Field<'_>, check: &mut Check) -> Option<Tls> {
    let table = field.table(&keys::TLS, check)?;
    let hint = "name the PEM file of the authority that signed etcd's certificate; the system's are not used";
    let ca = table.need("ca", hint, check, Field::certificates);
    let cert = table.maybe("cert", check, Field::certificates);
    let key = table.maybe("key", check, Field::private_key);
    let server_name = table.maybe("server_name", check, |field, check| {
        let name = field.text(check)?;
        if !endpoint::is_name(name) {
            check.fault(&field.path, "is not a host name", "write the name in etcd's certificate");
            return None;
        }
        Some(name.to_owned())
    });
    let identity = match (table.get("cert").is_some(), table.get("key").is_some()) {
        (true, false) => {
            check.key_fault(&table.path("key"), "missing: cert is given", "name the file with the certificate's key");
            None
        }
        (false, true) => {
            check.key_fault(&table.path("cert"), "missing: key is given", "name the file with the key's certificate");
            None
        }
        (false, false) => Some(None),
        (true, true) => match (cert.flatten(), key.flatten()) {
            (Some(cert), Some(key)) => Some(Some(Identity { cert, key })),
            _ => None,
        },
    };
    Some(Tls { ca: ca?, identity: identity?, server_name: server_name? })
}

fn login(table: &Table<'_>, check: &mut Check) -> Option<Option<Login>> {
    let user = table.maybe("user", check, |field, check| field.text(check).map(str::to_owned));
    let password = table.maybe("password_file", check, Field::password);
    match (user?, password?) {
        (None, None) => Some(None),
        (Some(user), Some(password_file)) => Some(Some(Login { user, password_file })),
        (Some(_), None) => {
            let hint = "name the file with the user's password";
            check.key_fault(&table.path("password_file"), "missing: user is given", hint);
            None
        }
        (None, Some(_)) => {
            check.key_fault(&table.path("user"), "missing: password_file is given", "give the user");
            None
        }
    }
}

fn schema(field: &Field<'_>, check: &mut Check) -> Option<Schema> {
    if let Value::Text(name) = &field.node.value
        && keys::SCHEMA.built.contains(&name.as_str())
    {
        check.fault(&field.path, "is text where a map of keys belongs", format!("write {{ {name}: {{}} }}"));
        return None;
    }
    let table = field.table(&keys::SCHEMA, check)?;
    let prefix = |keys: &'static Keys, default: &'static str| {
        move |field: &Field<'_>, check: &mut Check| {
            let table = field.table(keys, check)?;
            table.or("prefix", default.to_owned(), check, self::prefix)
        }
    };
    let native = table.get("native").map(|field| {
        let prefix = prefix(&keys::NATIVE, "/fingerpost")(&field, check)?;
        if let Some(shorter) = prefix.strip_suffix("/hosts") {
            let (path, keys) = (format!("{}.prefix", field.path), format!("{prefix}/hosts/HOST"));
            check.warn(
                &path,
                format!("with it the keys are {keys}"),
                format!("write {shorter:?} if they are {prefix}/HOST"),
            );
        }
        Some(prefix)
    });
    let flannel = table.get("flannel").map(|field| prefix(&keys::FLANNEL, "/coreos.com/network")(&field, check));
    match (native, flannel) {
        (Some(prefix), None) => Some(Schema::Native { prefix: prefix? }),
        (None, Some(prefix)) => Some(Schema::Flannel { prefix: prefix? }),
        (Some(_), Some(_)) => {
            check.key_fault(&table.path("flannel"), "a source has one schema", "make two sources of it");
            None
        }
        (None, None) => {
            if !keys::SCHEMA.not_yet.iter().any(|key| table.get(key).is_some()) {
                check.key_fault(&table.path, "names no schema", "write {native: {}} or {flannel: {}}");
            }
            None
        }
    }
}

/// A key's beginning, without slashes at its end.
fn prefix(field: &Field<'_>, check: &mut Check) -> Option<String> {
    let text = field.text(check)?.trim_end_matches('/');
    if text.is_empty() {
        check.fault(&field.path, "is only slashes", "write the keys' beginning, such as /fingerpost");
        return None;
    }
    if !text.starts_with('/') {
        let message = format!("{} does not begin with a slash", super::scalar::quoted(text));
        check.warn(&field.path, message, format!("write /{text} if the keys begin so"));
    }
    Some(text.to_owned())
}

fn file(field: &Field<'_>, check: &mut Check) -> Option<FileStore> {
    let table = field.table(&keys::FILE, check)?;
    let path = table.need("path", "name the file with the hosts", check, |field, check| {
        let path = field.file(check)?;
        if !path.is_file() {
            let message = format!("{} is not there, or is no file", path.display());
            check.warn(&field.path, message, "until it is there, nothing is known from this source");
        }
        Some(path)
    });
    let range = Duration::from_millis(100)..=Duration::from_secs(3600);
    let poll = table.or("poll", Duration::from_secs(1), check, |field, check| field.duration(range, check));
    Some(FileStore { path: path?, poll: poll? })
}
