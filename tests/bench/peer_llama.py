#!/usr/bin/env python3
"""Embedding speed of llama.cpp, to be run beside ours in one session.

usage: peer_llama.py GGUF MODEL_DIR TEXTS [--threads 2] [--batch 512] [--reference VECTORS]
needs: what llama.sh installs and converts
GGUF is the model as llama.cpp's convert_hf_to_gguf.py writes it; MODEL_DIR is the sentence-transformers folder that it was
converted from, whose prompts are used; TEXTS holds one document a line; VECTORS is what `xunpin embed` printed for the same
texts in f32. Prints one JSON line in the form of peer_embed.py; cosines only with --reference.
"""
import argparse
import json
import os
import statistics
import sys
import time

import llama_cpp
import numpy

# File types by the number that a GGUF file bears.
TYPES = {getattr(llama_cpp, name): name.split("_", 3)[3].lower() for name in dir(llama_cpp)
         if name.startswith(("LLAMA_FTYPE_ALL_", "LLAMA_FTYPE_MOSTLY_"))}


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


parser = argparse.ArgumentParser()
parser.add_argument("gguf")
parser.add_argument("model")
parser.add_argument("texts")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=512, help="tokens a call of llama.cpp, of several texts together")
parser.add_argument("--reference")
args = parser.parse_args()

prompts = read_json(args.model, "config_sentence_transformers.json").get("prompts", {})
with open(args.texts, encoding="utf-8") as file:
    docs = [prompts.get("document", "") + line.rstrip("\n") for line in file if line.strip()]
queries = [prompts.get("query", "") + q for q in ["敏感肌抗老", "油皮控油祛痘洗面奶", "熬夜黑眼圈眼霜", "送给五十岁妈妈的抗皱套装"]]

vocabulary = llama_cpp.Llama(args.gguf, vocab_only=True, verbose=False)
dense = any(module["type"].endswith(".Dense") for module in read_json(args.model, "modules.json"))
if dense and not any(key.endswith(".dense_2_feat_in") for key in vocabulary.metadata):
    sys.exit(f"peer_llama.py: {args.gguf} lacks the model's dense layers: convert with --sentence-transformers-dense-modules")
# A text is pooled within one micro-batch, and would be cut at its end. A bigger one is slower: attention goes over the whole
# micro-batch, with the other texts masked.
batch = max(args.batch, *(len(vocabulary.tokenize(doc.encode())) for doc in docs))
llama = llama_cpp.Llama(args.gguf, embedding=True, n_ctx=batch, n_batch=batch, n_ubatch=batch, n_threads=args.threads,
                        n_threads_batch=args.threads, flash_attn=True, verbose=False)
llama.embed(docs[:32], normalize=True)
start = time.perf_counter()
vectors = llama.embed(docs, normalize=True)
seconds = time.perf_counter() - start
llama.embed(queries, normalize=True)
times = []
for query in queries * 5:
    start = time.perf_counter()
    llama.embed([query], normalize=True)
    times.append(time.perf_counter() - start)
kind = TYPES.get(int(llama.metadata.get("general.file_type", -1)), os.path.splitext(os.path.basename(args.gguf))[0])
figures = {"variant": kind, "docs_per_s": round(len(docs) / seconds, 1),
           "query_p50_ms": round(statistics.median(times) * 1e3, 1), "docs": len(docs)}
if args.reference:
    with open(args.reference, encoding="utf-8") as file:
        reference = numpy.array([json.loads(line)["embedding"] for line in file])
    vectors = numpy.array(vectors)
    if reference.shape != vectors.shape:
        sys.exit(f"peer_llama.py: {args.reference} holds vectors of shape {reference.shape}, the texts have {vectors.shape}")
    cosines = (vectors * reference).sum(1) / numpy.linalg.norm(vectors, axis=1) / numpy.linalg.norm(reference, axis=1)
    figures.update(cos_mean=round(float(cosines.mean()), 4), cos_min=round(float(cosines.min()), 4))
print(json.dumps(figures), flush=True)
