#!/usr/bin/env python3
"""Embedding speed of llama.cpp, to be run beside ours in one session.

usage: peer_llama.py GGUF MODEL_DIR TEXTS [--threads 2]
needs: pip install llama-cpp-python
GGUF is the model converted by llama.cpp's convert_hf_to_gguf.py (--outtype q8_0); MODEL_DIR is the sentence-transformers
folder it was converted from, whose prompts are used; TEXTS holds one document a line. Prints one JSON line in the form of
peer_embed.py, without cosines.
"""
import argparse
import json
import os
import statistics
import time

from llama_cpp import Llama

parser = argparse.ArgumentParser()
parser.add_argument("gguf")
parser.add_argument("model")
parser.add_argument("texts")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()

with open(os.path.join(args.model, "config_sentence_transformers.json"), encoding="utf-8") as file:
    prompts = json.load(file).get("prompts", {})
with open(args.texts, encoding="utf-8") as file:
    docs = [prompts.get("document", "") + line.rstrip("\n") for line in file if line.strip()]
queries = [prompts.get("query", "") + q for q in ["敏感肌抗老", "油皮控油祛痘洗面奶", "熬夜黑眼圈眼霜", "送给五十岁妈妈的抗皱套装"]] * 5

# A sequence that is pooled must fit into one micro-batch.
llama = Llama(args.gguf, embedding=True, n_ctx=2048, n_batch=2048, n_ubatch=2048, n_threads=args.threads,
              n_threads_batch=args.threads, verbose=False)
llama.embed(docs[:32], normalize=True)
start = time.perf_counter()
llama.embed(docs, normalize=True)
seconds = time.perf_counter() - start
times = []
for query in queries:
    start = time.perf_counter()
    llama.embed([query], normalize=True)
    times.append(time.perf_counter() - start)
variant = os.path.splitext(os.path.basename(args.gguf))[0]
print(json.dumps({"variant": variant, "docs_per_s": round(len(docs) / seconds, 1),
                  "query_p50_ms": round(statistics.median(times) * 1e3, 1), "docs": len(docs)}), flush=True)
