#!/usr/bin/env bash
# Runs test suites, counts, and ends with one line: N passed, N failed, N skipped.
# Usage: integration/suite.sh [unit] [fuzz] [integration]
#   unit          unit, property and conformance tests of every crate but the lab
#   fuzz          every fuzz target for five seconds, each counted as a test
#   integration   the scenarios in network namespaces, with the product's binary built just before
# With CI=true a skip is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
export FINGERPOST_SKIPS=$output/skips
: >"$FINGERPOST_SKIPS"
broken=0

skip() {
  echo "SKIP $1" | tee -a "$FINGERPOST_SKIPS" >&2
}

target_folder() {
  cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

run() {
  "$@" 2>&1 | tee -a "$output/log" || broken=1
}

for suite in "$@"; do
  case $suite in
    unit)
      export SEEDS=${SEEDS:-2000} SEVERAL_SEEDS=${SEVERAL_SEEDS:-2000}
      # Tests with real etcds and sockets mostly wait.
      RUST_TEST_THREADS=${RUST_TEST_THREADS:-4} run integration/with-protoc.sh cargo test --workspace --exclude integration --no-fail-fast
      ;;
    fuzz)
      if ! command -v c++ >/dev/null; then
        skip "fuzz: libFuzzer needs a C++ compiler; install g++"
        continue
      fi
      run fuzz/run.sh 5
      ;;
    integration)
      if [ "$(uname -s)" != Linux ]; then
        skip "integration: network namespaces need Linux; run it in a Linux virtual machine"
        continue
      fi
      if ! integration/with-protoc.sh cargo build --package fingerpost; then
        broken=1
        continue
      fi
      FINGERPOST_BIN=$(target_folder)/debug/fingerpost
      export FINGERPOST_BIN
      # A scenario mostly waits, too.
      RUST_TEST_THREADS=${RUST_TEST_THREADS:-4} run cargo test --package integration --no-fail-fast
      ;;
    *)
      echo "no suite $suite" >&2
      exit 2
      ;;
  esac
done

touch "$output/log"
sum() {
  sed -n "s/^test result: .* \([0-9][0-9]*\) $1;.*/\1/p" "$output/log" | awk '{ n += $1 } END { print n + 0 }'
}
skipped=$(wc -l <"$FINGERPOST_SKIPS")
# A scenario that skips itself counts as passed for the harness; one that is ignored is a skip.
quiet=$(grep -c -v '^SKIP \(integration\|fuzz\):' "$FINGERPOST_SKIPS" || true)
passed=$(($(sum passed) - quiet))
failed=$(sum failed)
skipped=$((skipped + $(sum ignored)))

if [ "$skipped" -gt 0 ]; then
  echo
  echo "skipped:"
  sed 's/^/  /' "$FINGERPOST_SKIPS"
fi
if [ "$failed" -gt 0 ]; then
  echo
  echo "failed:"
  sed -nE 's/^(test|fuzz) +(.*) \.\.\. FAILED.*/  \2/p' "$output/log" | sort -u
fi
echo
echo "$passed passed, $failed failed, $skipped skipped"
if [ "$broken" -ne 0 ] || [ "$failed" -ne 0 ]; then
  exit 1
fi
if [ "${CI:-}" = true ] && [ "$skipped" -ne 0 ]; then
  echo "with CI=true a skip is a failure" >&2
  exit 1
fi
