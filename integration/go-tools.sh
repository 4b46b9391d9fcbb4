#!/usr/bin/env bash
# Prints the folder with the programs of a Go module in integration/tools, and builds them first where they are missing.
# Usage: integration/go-tools.sh MODULE
# The programs are the module's tools, as `go get -tool` writes them into its go.mod. They live outside the work tree,
# keyed by what go.sum pins, so that only the first run pays. Without Go it fails and says so.
set -euo pipefail
module=$(cd "$(dirname "${BASH_SOURCE[0]}")/tools/$1" && pwd)
key=$(cat "$module/go.mod" "$module/go.sum" | sha256sum | cut -c 1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fingerpost/tools/$1-$key
if [ ! -e "$folder/complete" ]; then
  if ! command -v go >/dev/null; then
    echo "Go is not installed (https://go.dev/dl); it builds $1" >&2
    exit 1
  fi
  mkdir -p "$folder"
  exec 9>"$folder/lock"
  flock 9
  if [ ! -e "$folder/complete" ]; then
    echo "building $1 once, into $folder" >&2
    GOBIN=$folder go -C "$module" install -trimpath -ldflags='-s -w' tool >&2
    touch "$folder/complete"
  fi
fi
echo "$folder"
