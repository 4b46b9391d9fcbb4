#!/usr/bin/env python3
"""The home-made way: a script on an etcd watch tells a routing daemon which host owns which subnet.

    follow.py ENDPOINTS PREFIX gobgp GOBGP             adds paths to a running gobgpd and deletes them
    follow.py ENDPOINTS PREFIX bird SOCKET FOLDER      writes FOLDER/routes4.conf and routes6.conf and lets BIRD read them

Whatever happens below PREFIX, everything there is read anew and the difference is told. The watch begins after the revision that
was read, so that nothing falls in between. While etcd cannot be read, what was told stays. Records are those of Fingerpost's native
schema.
"""
import base64
import ctypes
import ipaddress
import json
import os
import signal
import subprocess
import sys
import time

endpoints, prefix, sink, *words = sys.argv[1:]
etcdctl = ["etcdctl", "--endpoints", endpoints]
os.environ["ETCDCTL_API"] = "3"


def end_with_the_script():
    """A watch is not to outlive a script that is killed (prctl's PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def read():
    """Who owns what, prefix to next hop, and at which revision."""
    command = [*etcdctl, "--command-timeout", "3s", "get", "--prefix", prefix, "--write-out", "json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    routes = {}
    for record in answer.get("kvs", []):
        value = json.loads(base64.b64decode(record["value"]))
        for subnet in value["subnets"]:
            version = ipaddress.ip_network(subnet).version
            via = next((a for a in value["addresses"] if ipaddress.ip_address(a).version == version), None)
            if via:
                routes[subnet] = via
    return routes, answer["header"]["revision"]


def tell_gobgp(before, after):
    for subnet in sorted(before.keys() | after.keys()):
        if before.get(subnet) == after.get(subnet):
            continue
        family = "ipv6" if ":" in subnet else "ipv4"
        if subnet in after:  # Replaces the path that is there.
            command = ["add", subnet, "nexthop", after[subnet]]
        else:
            command = ["del", subnet]
        subprocess.run([words[0], "global", "rib", *command, "-a", family], check=True)


def tell_bird(before, after):
    if before == after:
        return
    socket, folder = words
    for version, dots in (("4", "."), ("6", ":")):
        lines = [f"route {s} blackhole {{ bgp_next_hop = {via}; }};\n" for s, via in sorted(after.items()) if dots in s]
        path = os.path.join(folder, f"routes{version}.conf")
        with open(path + ".new", "w") as file:
            file.writelines(lines)
        os.rename(path + ".new", path)
    subprocess.run(["birdc", "-s", socket, "configure"], check=True, stdout=subprocess.DEVNULL)


tell = {"gobgp": tell_gobgp, "bird": tell_bird}[sink]
told = {}
watch = None
stale = True
while True:
    if stale:
        try:
            routes, revision = read()
            tell(told, routes)
            told, stale = routes, False
        except subprocess.CalledProcessError as error:
            print(error, error.stderr, flush=True)
            time.sleep(1)
            continue
    if watch is None or watch.poll() is not None:
        command = [*etcdctl, "watch", "--prefix", prefix, "--rev", str(revision + 1)]
        watch = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=end_with_the_script)
        os.set_blocking(watch.stdout.fileno(), False)
    stale = bool(watch.stdout.read())
    time.sleep(0.02)
