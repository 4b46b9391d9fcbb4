#!/usr/bin/env bash
# Builds every fuzz target and runs one after the other, each for so many seconds; counts what was executed.
# Usage: fuzz/run.sh SECONDS [TARGET...]
# The build is apart (its code is instrumented): target/fuzz. What a run learns stays in target/fuzz/corpus, for the next run.
# An input that breaks a claim is left in target/fuzz/found; add it to fuzz/seeds/ with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=$1
shift

folder=target/fuzz
host=$(rustc --version --verbose | sed -n 's/^host: //p')
# What cargo-fuzz passes for libFuzzer without a sanitizer: there is no unsafe code of ours for one to watch, and so the
# ordinary compiler will do.
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
RUSTFLAGS=$coverage cargo build --quiet --profile fuzz --target "$host" --target-dir "$folder" \
  --package fuzz --features libfuzzer --bins
programs=$folder/$host/fuzz
mapfile -t targets < <("$programs/seeds" "$folder/seeds")
if [ "$#" -gt 0 ]; then
  targets=("$@")
fi

mkdir -p "$folder/found" "$folder/log"
total=0 passed=0 failed=0
for target in "${targets[@]}"; do
  mkdir -p "$folder/corpus/$target"
  log=$folder/log/$target
  if "$programs/$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -verbosity=1 -artifact_prefix="$folder/found/$target-" "$folder/corpus/$target" "$folder/seeds/$target" >"$log" 2>&1; then
    passed=$((passed + 1)) result=ok
  else
    failed=$((failed + 1)) result=FAILED
  fi
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  total=$((total + ${executed:-0}))
  printf 'fuzz %-16s %12s executions in %s s ... %s\n' "$target" "${executed:-?}" "$seconds" "$result"
  if [ "$result" != ok ]; then
    grep -v '^#' "$log" | tail -n 40
    echo "again: $programs/$target $folder/found/$target-…"
  fi
done
[ "$failed" -eq 0 ] && result=ok || result=FAILED
echo "fuzz: $total executions in all"
echo "test result: $result. $passed passed; $failed failed; 0 ignored; 0 measured; 0 filtered out"
[ "$failed" -eq 0 ]
