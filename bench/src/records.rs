//! The records that a measurement puts into etcd: which host owns which subnets.
//!
//! Subnets are numbered from the start of 10.0.0.0/8, hosts' addresses from 172.16.0.1.

use fingerpost_core::bgp::wire::{Encoding, Packer, RouteAttributes};
use fingerpost_core::model::{Family, Prefix};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

const SUBNETS: u32 = 0x0a00_0000;
const HOSTS: u32 = 0xac10_0001;

/// How hosts and subnets are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Schema {
    /// One record a host.
    Native,
    /// One lease a subnet; a host's leases do not lie side by side.
    Flannel,
}

/// Hosts with the same number of subnets each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routes {
    pub(crate) schema: Schema,
    pub(crate) hosts: u32,
    pub(crate) subnets_each: u32,
    /// Of every subnet, in bits.
    pub(crate) length: u8,
}

impl Routes {
    pub(crate) fn count(&self) -> u32 {
        self.hosts * self.subnets_each
    }

    /// What all keys begin with.
    pub(crate) fn prefix(&self) -> &'static str {
        "/bench"
    }

    /// What the keys that are read begin with.
    pub(crate) fn range(&self) -> &'static str {
        match self.schema {
            Schema::Native => "/bench/hosts/",
            Schema::Flannel => "/bench/subnets/",
        }
    }

    /// `sources.*.schema` of the configuration.
    pub(crate) fn schema_yaml(&self) -> String {
        let name = match self.schema {
            Schema::Native => "native",
            Schema::Flannel => "flannel",
        };
        format!("{{ {name}: {{ prefix: {} }} }}", self.prefix())
    }

    /// How many records there are.
    pub(crate) fn keys(&self) -> u32 {
        match self.schema {
            Schema::Native => self.hosts,
            Schema::Flannel => self.count(),
        }
    }

    /// Key and value of every record.
    pub(crate) fn records(&self) -> impl Iterator<Item = (String, String)> {
        let routes = *self;
        (0..self.keys()).map(move |n| match routes.schema {
            Schema::Native => routes.host_record(n),
            Schema::Flannel => routes.lease(n, n % routes.hosts),
        })
    }

    /// The `n`-th subnet; there may be more than `count`.
    pub(crate) fn subnet(&self, n: u32) -> Prefix {
        let net = Ipv4Net::new(Ipv4Addr::from(SUBNETS + (n << (32 - self.length))), self.length);
        Prefix::truncated(IpNet::V4(net.unwrap_or_default()))
    }

    /// The address of a host.
    pub(crate) fn address(host: u32) -> Ipv4Addr {
        Ipv4Addr::from(HOSTS + host)
    }

    /// flannel's record of the `n`-th subnet, owned by this host.
    pub(crate) fn lease(&self, n: u32, host: u32) -> (String, String) {
        let key = format!("{}{}", self.range(), self.subnet(n).to_string().replace('/', "-"));
        let mac = format!("{:02x}:{:02x}", host >> 8 & 0xff, host & 0xff);
        let value = format!(
            "{{\"PublicIP\":\"{}\",\"PublicIPv6\":null,\"BackendType\":\"vxlan\",\
             \"BackendData\":{{\"VNI\":1,\"VtepMAC\":\"82:4b:b6:2f:{mac}\"}}}}",
            Self::address(host)
        );
        (key, value)
    }

    fn host_record(&self, host: u32) -> (String, String) {
        let subnets = self.subnets_of(host).map(|subnet| format!("\"{subnet}\"")).collect::<Vec<_>>().join(",");
        let value = format!(
            "{{\"addresses\":[\"{}\"],\"subnets\":[{subnets}],\"labels\":{{\"zone\":\"vlan-{}\"}}}}",
            Self::address(host),
            host % 8
        );
        (format!("{}node-{host:05}", self.range()), value)
    }

    fn subnets_of(&self, host: u32) -> impl Iterator<Item = Prefix> {
        let (routes, first) = (*self, host * self.subnets_each);
        (first..first + self.subnets_each).map(move |n| routes.subnet(n))
    }

    /// One UPDATE that announces the `n`-th subnet via this host.
    pub(crate) fn one(&self, encoding: Encoding, n: u32, host: u32) -> Vec<u8> {
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        let attributes = RouteAttributes::via(Self::address(host).into());
        Packer::new(encoding, Family::Ipv4).announce(&attributes, [self.subnet(n)], &mut out, &mut ends);
        out
    }

    /// The whole table in as few and as full UPDATEs as possible, then End-of-RIB: what a bare sender writes.
    pub(crate) fn minimal(&self, encoding: Encoding) -> Vec<u8> {
        let mut packer = Packer::new(encoding, Family::Ipv4);
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        for host in 0..self.hosts {
            let attributes = RouteAttributes::via(Self::address(host).into());
            match self.schema {
                Schema::Native => packer.announce(&attributes, self.subnets_of(host), &mut out, &mut ends),
                Schema::Flannel => {
                    let of_host = (0..self.subnets_each).map(|n| self.subnet(host + n * self.hosts));
                    packer.announce(&attributes, of_host, &mut out, &mut ends);
                }
            }
        }
        packer.end_of_rib(&mut out, &mut ends);
        out
    }
}
