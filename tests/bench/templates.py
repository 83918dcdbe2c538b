#!/usr/bin/env python3
"""nDCG@10 of a collection under several renderings of the embedded text.

usage: templates.py XUNPIN PRODUCTS.jsonl QUERIES.tsv QRELS.txt [FIRST_N_QUERIES]
needs: pip install numpy; the model on this machine. Vectors come from `xunpin embed`.
"""
import json, math, subprocess, sys
import numpy as np

xunpin, products, queries, qrels = sys.argv[1:5]
products = [json.loads(line) for line in open(products, encoding="utf-8")]
queries = [line.rstrip("\n").split("\t") for line in open(queries, encoding="utf-8")][: int((sys.argv + [10**9])[5])]
grades = {}
for line in open(qrels): q, _, d, g = line.split(); grades.setdefault(q, {})[d] = int(g)

def embed(rows, role):
    lines = "\n".join(json.dumps({"id": i, "text": t}) for i, t in rows)
    out = subprocess.run([xunpin, "embed", "-", "--role", role], input=lines, capture_output=True, text=True, check=True)
    return np.array([json.loads(line)["embedding"] for line in out.stdout.splitlines()], np.float32)

def attributes(p, names=True, numbers=True, between=" ", colon=":", comma=","):
    parts = []
    for name, value in p.get("attributes", {}).items():
        if isinstance(value, bool):
            parts.append(name if value else "不" + name if name.startswith("含") else "")
        elif numbers or not isinstance(value, (int, float)):
            values = value if isinstance(value, list) else [value]
            parts.append((name + colon if names else "") + comma.join(map(str, values)))
    return between.join(part for part in parts if part)

def taken(p):
    title = p["title"]
    brand = [p["brand"]] if p.get("brand") and p["brand"] not in title else []
    category = [c for c in p.get("category", []) if c not in title]
    by_name = attributes({"attributes": dict(sorted(p.get("attributes", {}).items()))})
    return [title, *brand, *category, by_name, *p.get("tags", []), p.get("description", "")]

title, tags = lambda p: p["title"], lambda p: " ".join(p.get("tags", []))
text, path = lambda p: p.get("description", ""), lambda p: p.get("category", [])
plain = dict(numbers=False)
TEMPLATES = {
    "title": lambda p: [title(p)],
    "title, attributes": lambda p: [title(p), attributes(p)],
    "title, attributes, tags": lambda p: [title(p), attributes(p), tags(p)],
    "title, description": lambda p: [title(p), text(p)],
    "taken": taken,
    "attribute values without names": lambda p: [title(p), *path(p), attributes(p, names=False, **plain), tags(p), text(p)],
    "punctuation": lambda p: ["。".join(x for x in [title(p), text(p).rstrip("。"), "，".join(path(p)[-2:]),
        attributes(p, between="；", colon="：", comma="、", **plain), "，".join(p.get("tags", []))] if x)],
    "a line each": lambda p: ["\n".join(x for x in [title(p), " > ".join(path(p)),
        attributes(p, between="\n", colon="：", comma="、", **plain), tags(p), text(p)] if x)],
}

def ndcg(ranking, judged):
    gain = lambda grade: 2**grade - 1
    found = sum(gain(judged.get(d, 0)) / math.log2(at + 2) for at, d in enumerate(ranking[:10]))
    return found / sum(gain(g) / math.log2(at + 2) for at, g in enumerate(sorted(judged.values(), reverse=True)[:10]))

asked = embed(queries, "query")
for name, render in TEMPLATES.items():
    documents = embed([(p["id"], " ".join(part for part in render(p) if part)) for p in products], "document")
    order = np.argsort(-(asked @ documents.T), axis=1, kind="stable")
    values = [ndcg([products[at]["id"] for at in row[:10]], grades[q]) for (q, _), row in zip(queries, order) if any(grades.get(q, {}).values())]
    print(f"{np.mean(values):.4f}  {len(values)} queries  {name}", flush=True)
