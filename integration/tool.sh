#!/usr/bin/env bash
# Prints the path of a cargo tool of an exact version, and builds it first where it is missing.
# Usage: integration/tool.sh NAME VERSION
# The tools live outside the work tree, keyed by version, so that only the first run pays.
set -euo pipefail
name=$1 version=$2
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fingerpost/tools/$name-$version
if [ ! -x "$folder/bin/$name" ]; then
  echo "building $name $version once, into $folder" >&2
  env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$folder" "$name@$version" >&2
fi
echo "$folder/bin/$name"
