#!/usr/bin/env bash
# Runs a command with a protoc that knows google/protobuf: the system's, or else the one of protoc-bin-vendored.
# Usage: integration/with-protoc.sh COMMAND [ARGUMENT...]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian has the includes in another package than the compiler, so ask the compiler itself.
system_protoc_is_complete() {
  local protoc=${PROTOC:-protoc} folder result=0
  command -v "$protoc" >/dev/null 2>&1 || return 1
  folder=$(mktemp -d)
  printf 'syntax = "proto3";\nimport "google/protobuf/any.proto";\nmessage M { google.protobuf.Any a = 1; }\n' \
    >"$folder/probe.proto"
  "$protoc" --proto_path="$folder" ${PROTOC_INCLUDE:+--proto_path="$PROTOC_INCLUDE"} \
    --descriptor_set_out="$folder/out" "$folder/probe.proto" >/dev/null 2>&1 || result=1
  rm -rf "$folder"
  return "$result"
}

if ! system_protoc_is_complete; then
  echo "no complete protoc on this machine; using the one of the crate protoc-bin-vendored" >&2
  unset PROTOC PROTOC_INCLUDE
  while IFS='=' read -r name value; do
    export "$name=$value"
  done < <(cargo run --quiet --manifest-path "$root/Cargo.toml" --package protoc)
  if [ -z "${PROTOC:-}" ]; then
    echo "no protoc: install protobuf-compiler and libprotobuf-dev, or set PROTOC" >&2
    exit 1
  fi
fi
exec "$@"
