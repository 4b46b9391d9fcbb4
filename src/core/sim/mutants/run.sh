#!/usr/bin/env bash
# Breaks the promises on purpose, one after the other, and runs the simulation on each: one that survives is a gap in what is judged.
# Usage: src/core/sim/mutants/run.sh [NAME …]     a name, or the beginning of one; none: all
#   WORLDS=several        only the worlds of several replicas
#   SEEDS="50 500 2000"   how many are tried with, as long as nothing is noticed: no more than hold without any mutant
# All mutants are built at once, each behind a switch, from what is committed, in a copy. Ends with a table, and with an error if
# one survives or the text that it replaces is no longer there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."
root=$PWD
mutants=$PWD/src/core/sim/mutants/mutants.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/mutants RUST_BACKTRACE=0
copy=$CARGO_TARGET_DIR/copy
log=$CARGO_TARGET_DIR/log

drop() {
  cd "$root"
  git worktree remove --force "$copy" 2>/dev/null || true
  git worktree prune
}
trap drop EXIT
drop
mkdir -p "$CARGO_TARGET_DIR"
rm -rf "$copy"
git worktree add --quiet --detach "$copy" HEAD
cd "$copy"

names=() whats=()
mutant() {
  local name=$1 what=$2 file=$3 text new
  text=$(cat)
  new=${text#*$'\n=>\n'}
  OLD=${text%%$'\n=>\n'*} NEW=${new//BROKEN/crate::broken(\"$name\")} perl -0777 -i -pe '
    BEGIN { $found = 0 } $found = s/\Q$ENV{OLD}\E/$ENV{NEW}/g; END { exit($found == 1 ? 0 : 1) }' "$file" || {
    echo "$name: what it replaces does not stand in $file once" >&2
    exit 2
  }
  names+=("$name") whats+=("$what")
}
# shellcheck source=src/core/sim/mutants/mutants.sh
. "$mutants"

cat >>src/core/lib.rs <<'END'
static MUTANT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
/// Whether this mutant is tried.
fn broken(name: &str) -> bool {
    MUTANT.get_or_init(|| std::env::var("MUTANT").ok()).as_deref() == Some(name)
}
END
# Nothing but the simulation: most of the time goes into building.
grep -rlZ '^mod tests' src/core | xargs -0 sed -i -z 's/#\[cfg(test)\]\nmod tests/#[cfg(any())]\nmod tests/g'
binary=$(cargo test --quiet --package fingerpost-core --lib --no-run --message-format json |
  sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)

holds() {
  MUTANT=$1 SEEDS=$2 SEVERAL_SEEDS=$2 timeout 3600 "$binary" "sim::${WORLDS:-}" >"$log" 2>&1
}

wanted() {
  local name=$1 beginning
  shift
  [ "$#" -gt 0 ] || return 0
  for beginning in "$@"; do
    case $name in "$beginning"*) return 0 ;; esac
  done
  return 1
}

holds none 50 || {
  tail -n 40 "$log" >&2
  echo "a promise is broken without any mutant" >&2
  exit 2
}

tried=0 survived=0
echo "| promise | broken on purpose | first seed | what the judge says |"
echo "|---|---|---|---|"
for n in "${!names[@]}"; do
  name=${names[$n]}
  wanted "$name" "$@" || continue
  tried=$((tried + 1))
  first="" says="**survives**"
  for seeds in ${SEEDS:-50 500 2000}; do
    holds "$name" "$seeds" && continue
    line=$(grep --only-matching '^make sim .*SEED=.*' "$log" | sort --version-sort --field-separator = --key 2 | head -n 1 || true)
    if [ -z "$line" ]; then
      tail -n 40 "$log" >&2
      echo "$name ends otherwise than by a broken promise" >&2
      exit 2
    fi
    first=$(sed 's/^make sim \(WORLDS=\([a-z]*\) \)\?SEED=\([0-9]*\).*/\2 \3/; s/^ //' <<<"$line")
    says=$(sed 's/^[^#]*# //; s/^assertion `.*` failed: //' <<<"$line" | tr '|' '/' | cut -c 1-110)
    break
  done
  [ -n "$first" ] || survived=$((survived + 1))
  promise=${name%%-*}
  echo "| ${promise^^} | ${whats[$n]} | $first | $says |"
done
echo
echo "$((tried - survived)) of $tried are caught"
[ "$survived" -eq 0 ]
