#!/usr/bin/env bash
# Embedding speed of xunpin and of sentence-transformers on the same texts, taken in turns.
#
# usage: embed.sh XUNPIN MODEL PEERS_PYTHON [ROUNDS]
# TEXTS (environment) holds one document a line. Without it: the first 600 titles of ../shared/data/beauty where that
# folder is, else the titles of the fixture catalogue.
# ../shared/bench/peer_embed.py measures the peer; without it or PEERS_PYTHON, only xunpin is measured.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
xunpin=$1 model=$2 python=$3 rounds=${4:-3}
peer=$root/../shared/bench/peer_embed.py
texts=${TEXTS:-}
if [ -z "$texts" ]; then
  texts=$(mktemp) && trap 'rm -f "$texts"' EXIT
  python3 "$root/tests/bench/titles.py" > "$texts"
fi
folder=$("$xunpin" model list --format json | python3 -c 'import json, sys
print(next(m["folder"] for m in json.load(sys.stdin)["models"] if m["name"] == sys.argv[1]))' "$model")
for round in $(seq "$rounds"); do
  "$xunpin" bench embed "$texts" --model "$model" --format json
  if [ -x "$python" ] && [ -f "$peer" ]; then "$python" "$peer" "$folder" "$texts" --variants f32; fi
done
