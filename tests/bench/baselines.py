#!/usr/bin/env python3
"""BM25 and sentence-transformers beside one of our runs, on the same queries and judgements.

usage: baselines.py PRODUCTS QUERIES QRELS RUN [--model DIR]
needs: pip install jieba rank-bm25 numpy pytrec-eval-terrier (and sentence-transformers for --model)
PRODUCTS is a CSV with columns id and title, or JSONL; RUN is what `xunpin eval --run-out` wrote. Prints a line a system:
nDCG@10 (gain 2^grade - 1), MRR@10, recall@10 and @100, and the two-sided p of a paired randomisation test of nDCG@10
against the run (100,000 sign flips, fixed seed). BM25 (k1 1.2, b 0.75) sees words of jieba's search mode.
"""
import argparse, csv, json, sys
import jieba, numpy as np, pytrec_eval
from rank_bm25 import BM25Okapi

jieba.setLogLevel(60)
a = argparse.ArgumentParser()
for name in ("products", "queries", "qrels", "run"): a.add_argument(name)
a.add_argument("--model")
a = a.parse_args()

if a.products.endswith(".csv"):
    rows = list(csv.DictReader(open(a.products, encoding="utf-8-sig")))
else:
    rows = [json.loads(line) for line in open(a.products, encoding="utf-8")]

def text(p):
    """The text that is embedded, as far as these collections need it."""
    parts = [p["title"]]
    if p.get("brand") and p["brand"] not in p["title"]: parts.append(p["brand"])
    parts += [c for c in p.get("category") or [] if c not in p["title"]]
    for name, values in sorted((p.get("attributes") or {}).items()):
        values = values if isinstance(values, list) else [values]
        parts.append(f"{name}:{','.join(map(str, values))}")
    return " ".join(parts + list(p.get("tags") or []) + [p.get("description") or ""]).strip()

ids, texts = [p["id"] for p in rows], [text(p) for p in rows]
queries = dict(line.rstrip("\n").split("\t") for line in open(a.queries, encoding="utf-8") if line.strip())
grades = {}
for line in open(a.qrels): q, _, d, g = line.split(); grades.setdefault(q, {})[d] = int(g)
asked = sorted(q for q in queries if any(g > 0 for g in grades.get(q, {}).values()))

def ranking(scores):
    best = sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:100]
    return {ids[i]: 1.0 / (rank + 1) for rank, i in enumerate(best)}

words = lambda t: [w for w in jieba.lcut_for_search(t.lower()) if w.strip()]
runs = {"xunpin": {}}
for line in open(a.run):
    q, _, d, rank, _, _ = line.split(); runs["xunpin"].setdefault(q, {})[d] = 1.0 / int(rank)
bm25 = BM25Okapi([words(t) for t in texts], k1=1.2, b=0.75)
runs["BM25"] = {q: ranking(bm25.get_scores(words(queries[q]))) for q in asked}
if a.model:
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(a.model, device="cpu")
    docs = model.encode(texts, prompt_name="document", normalize_embeddings=True)
    found = model.encode([queries[q] for q in asked], prompt_name="query", normalize_embeddings=True) @ docs.T
    runs["sentence-transformers f32"] = {q: ranking(s) for q, s in zip(asked, found)}

gains = {q: {d: 2**max(g, 0) - 1 for d, g in grades[q].items()} for q in asked}
plain = {q: {d: int(g > 0) for d, g in grades[q].items()} for q in asked}
def measure(run):
    cut = {q: dict(sorted(run.get(q, {}).items(), key=lambda r: -r[1])[:10]) or {"-": 0.0} for q in asked}
    whole = {q: run.get(q) or {"-": 0.0} for q in asked}
    n = pytrec_eval.RelevanceEvaluator(gains, {"ndcg_cut.10"}).evaluate(whole)
    m = pytrec_eval.RelevanceEvaluator(plain, {"recip_rank"}).evaluate(cut)
    r = pytrec_eval.RelevanceEvaluator(plain, {"recall.10,100"}).evaluate(whole)
    judged = np.mean([np.mean([d in grades[q] for d in cut[q]]) for q in asked])
    mean = lambda rows, key: float(np.mean([rows[q][key] for q in asked]))
    ndcg = np.array([n[q]["ndcg_cut_10"] for q in asked])
    return ndcg, (ndcg.mean(), mean(m, "recip_rank"), mean(r, "recall_10"), mean(r, "recall_100"), judged)
ours, _ = measure(runs["xunpin"])
signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(100_000, len(asked)))
for name, run in runs.items():
    ndcg, figures = measure(run)
    gap = ndcg - ours
    p = 1.0 if not gap.any() else float(np.mean(np.abs(signs @ gap) >= abs(gap.sum()) - 1e-12))
    print(f"{name:28} ndcg@10 {figures[0]:.4f}  mrr@10 {figures[1]:.4f}  recall@10 {figures[2]:.4f}  "
          f"recall@100 {figures[3]:.4f}  judged@10 {figures[4]:.2f}  p {p:.4f}", flush=True)
