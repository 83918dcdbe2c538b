#!/usr/bin/env bash
# Runs the fuzz targets named, or all, for some seconds each; `make fuzz` calls it. Fails on the first finding.
#
#   fuzz/run.sh TARGET_DIR CORPUS_DIR SECONDS [TARGET...]
#
# TARGET_DIR is where the targets are compiled, CORPUS_DIR where inputs that reach new code are collected; both outlive
# the run. The seeds in fuzz/corpus are read and left as they are.
set -euo pipefail
cd "$(dirname "$0")"

build=$1 corpora=$2 seconds=$3
shift 3
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# As in the Makefile: a clone must not run what another one compiled. Dependencies stay.
stamp=$build/xunpin-clone
triple=$(rustc -vV | sed -n 's/^host: //p')
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$PWD" ]; then
  rm -f "$stamp"
  packages=$(sed -n 's/^name = "\(xunpin.*\)"/-p \1/p' Cargo.toml; sed -n 's/^\(xunpin[a-z0-9-]*\) = { path.*/-p \1/p' Cargo.toml; echo "-p xunpin-kernels")
  # shellcheck disable=SC2086 # words are meant
  cargo clean -q --release --target "$triple" --target-dir "$build" $packages
  mkdir -p "$build"
  echo "$PWD" > "$stamp"
fi

# No sanitizer: the stable compiler has none. What is looked for are panics, failed assertions, overflows of the stack and
# of numbers (both checked in this build), time and memory; unsafe code lies in few modules, which the crates name.
cargo fuzz build --sanitizer none --target-dir "$build" >&2

for target in "${targets[@]}"; do
  case $target in
    # A prepared tokenizer has 70 KB; Parquet's footers and headers of models are long too.
    tokenizer_blob) length=98304 ;;
    prepared_model) length=16384 ;;
    parquet) length=8192 ;;
    *) length=4096 ;;
  esac
  found=$corpora/$target
  log=$corpora/$target.log
  mkdir -p "$found" "artifacts/$target"
  printf '%-16s ' "$target"
  # An input of a few kilobytes that takes half a minute is a finding, and so are two gigabytes of memory. Less time
  # would find a busy machine: a Parquet page may say that it is 256 MiB unpacked (docs/security.md).
  if ! "$build/$triple/release/$target" -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" \
      -max_len=$length -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 \
      "$found" "corpus/$target" > "$log" 2>&1; then
    echo "FOUND"
    tail -n 40 "$log"
    echo "fuzz: $target: the input is in fuzz/artifacts/$target; run it again with"
    echo "    $build/$triple/release/$target fuzz/artifacts/$target/FILE"
    exit 1
  fi
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
  reached=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1)
  echo "$executions executions, $reached, peak $peak MB"
done
