#!/usr/bin/env python3
"""Puts the next hops of GoBGP's best paths into the kernel, which GoBGP itself does by FRR's zebra only.

    mirror.py GOBGP        runs `GOBGP monitor global rib` and one `ip -batch`

A best path that is withdrawn takes the entry away; one with another next hop replaces it; one with the same next hop leaves it alone.
"""
import json
import subprocess
import sys

# Path attributes by their numbers: NEXT_HOP, MP_REACH_NLRI.
NEXT_HOPS = (3, 14)


def next_hop(path):
    return next((a["nexthop"] for a in path["attrs"] if a["type"] in NEXT_HOPS), None)


watch = subprocess.Popen(
    [sys.argv[1], "monitor", "global", "rib", "--current", "-j"], stdout=subprocess.PIPE, text=True)
kernel = subprocess.Popen(["ip", "-force", "-batch", "-"], stdin=subprocess.PIPE, text=True)
known = {}
for line in watch.stdout:
    for path in json.loads(line):
        prefix = path["nlri"]["prefix"]
        via = None if path.get("withdrawal") else next_hop(path)
        if via == known.get(prefix):
            continue
        if via:
            known[prefix] = via
            kernel.stdin.write(f"route replace {prefix} via {via} proto bgp\n")
        else:
            del known[prefix]
            kernel.stdin.write(f"route del {prefix}\n")
        kernel.stdin.flush()
