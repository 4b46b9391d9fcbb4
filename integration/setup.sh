#!/usr/bin/env bash
# Installs what the tests need on Debian or Ubuntu and is missing. Starts no service.
# Without root it changes nothing and says what will be skipped and how to get it.
set -euo pipefail

packages=(
  etcd-server etcd-client openssl        # the source
  bird2 frr gobgpd openbgpd exabgp       # the gateways
  iproute2 iputils-ping tcpdump          # the lab
  keepalived                             # gateways that share an address
  libfaketime                            # a process with a clock of its own
  util-linux                             # nsenter, setpriv
  g++                                    # libFuzzer
  protobuf-compiler libprotobuf-dev      # etcd-client's build script
)

installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

say() {
  printf '%s\n' "$@" >&2
}

if [ "$(uname -s)" != Linux ]; then
  say "SETUP: not Linux: the lab scenarios (network namespaces) will be skipped." \
    "       To run them: use a Linux virtual machine, Debian 12 or Ubuntu 24.04."
  exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  say "SETUP: neither Debian nor Ubuntu: install the equivalents of: ${packages[*]}" \
    "       Scenarios whose programs are missing will be skipped, each with its reason."
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  installed "$package" || missing+=("$package")
done

if [ "$(id -u)" -ne 0 ]; then
  say "SETUP: not root: the lab scenarios (network namespaces) will be SKIPPED." \
    "       To run them: sudo -E env \"PATH=\$PATH\" make test"
  if [ "${#missing[@]}" -gt 0 ]; then
    say "SETUP: not installed, and only root can: ${missing[*]}" \
      "       To install them: sudo integration/setup.sh"
  fi
  exit 0
fi
[ "${#missing[@]}" -gt 0 ] || exit 0

say "SETUP: installing ${missing[*]}"
exec 9>/run/lock/fingerpost-setup
flock 9

# Debian starts etcd, bird and frr at installation, unless policy-rc.d forbids it (101). What was there before comes back.
policy=/usr/sbin/policy-rc.d
saved=
restore() {
  rm -f "$policy"
  if [ -n "$saved" ]; then
    mv "$saved" "$policy"
  fi
}
if [ -e "$policy" ] || [ -L "$policy" ]; then
  saved=$(mktemp "$policy.XXXXXX")
  mv "$policy" "$saved"
fi
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --quiet --no-install-recommends "${missing[@]}")
# The lists may be missing or too old for the packages; then once more with fresh ones.
"${install[@]}" || { apt-get update --quiet && "${install[@]}"; }
