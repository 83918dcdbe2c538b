#!/usr/bin/env bash
# Builds llama.cpp for this processor (llama-cpp-python, from source) and converts a model for it.
#
# usage: llama.sh XUNPIN MODEL PEERS_PYTHON FOLDER
# PEERS_PYTHON must have torch and transformers (`make peers`). The files are FOLDER/MODEL-TYPE.gguf, for each of
# TYPES (environment; q8_0 and bf16 unless given): what --outtype of llama.cpp's converter can write.
set -euo pipefail
xunpin=$1 model=$2 python=$3 out=$4
[ -x "$python" ] || { echo "llama.sh: $python is not there; \`make peers\` installs it" >&2; exit 2; }
folder=$("$xunpin" model list --format json | python3 -c 'import json, sys
print(next(m["folder"] for m in json.load(sys.stdin)["models"] if m["name"] == sys.argv[1]))' "$model")
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
CMAKE_ARGS="-DGGML_NATIVE=ON ${CMAKE_ARGS:-}" "$python" -m pip install -q --no-binary llama-cpp-python llama-cpp-python sentencepiece
version=$("$python" -c 'import llama_cpp; print(llama_cpp.__version__)')
# The converter is in the source package alone.
"$python" -m pip download -q --no-deps --no-binary llama-cpp-python -d "$work" "llama-cpp-python==$version"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work"
for type in ${TYPES:-q8_0 bf16}; do
  "$python" "$work"/llama_cpp_python-*/vendor/llama.cpp/convert_hf_to_gguf.py "$folder" --outtype "$type" \
    --sentence-transformers-dense-modules --outfile "$work/model.gguf" 2> "$work/log" || { tail "$work/log" >&2; exit 3; }
  mv "$work/model.gguf" "$out/$model-$type.gguf"
  echo "llama.sh: $out/$model-$type.gguf"
done
