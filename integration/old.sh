#!/usr/bin/env bash
# Prints the path of the product's binary as it was at a commit, and builds it first where it is missing.
# Usage: integration/old.sh COMMIT
# Its sources and what is built of them live outside the work tree: cargo would take its crates for ours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
commit=$(git rev-parse --verify "$1^{commit}")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/fingerpost/versions/$commit
if [ ! -e "$folder/fingerpost" ]; then
  echo "building $1 once, into $folder" >&2
  mkdir -p "$folder"
  sources=$(mktemp -d)
  trap 'git worktree remove --force "$sources/tree"; rm -rf "$sources"' EXIT
  git worktree add --quiet --detach "$sources/tree" "$commit" >&2
  (cd "$sources/tree" && CARGO_TARGET_DIR=$sources/target integration/with-protoc.sh cargo build --package fingerpost) >&2
  mv "$sources/target/debug/fingerpost" "$folder/fingerpost"
fi
echo "$folder/fingerpost"
