#!/usr/bin/env python3
"""hnswlib in turns with another program, on the same vectors.

usage: ann.py BASE.f32 QUERIES.f32 DIM [--m 16] [--efc 200] [--k 10] [--threads 2] [--ef 16,32,...]
needs: hnswlib, faiss-cpu and numpy (`make peers`)

Raw little-endian float32 rows of unit length. Builds on --threads and tells it in one JSON line. Then, for each line on standard
input, asks all queries at every ef on one thread, and prints one JSON line for each ef: ef, recall, qps. Ends with its input.
`xunpin bench build --peers` runs it.
"""
import argparse
import json
import sys
import time

import faiss
import hnswlib
import numpy as np


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("queries")
    parser.add_argument("dim", type=int)
    for name, default in (("m", 16), ("efc", 200), ("k", 10), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--ef", type=lambda text: [int(n) for n in text.split(",")], default=[16, 32, 64, 128, 256])
    return parser.parse_args()


def rows(path, dim):
    return np.fromfile(path, "<f4").reshape(-1, dim)


def tell(**line):
    print(json.dumps(line), flush=True)


def main():
    args = arguments()
    base, queries = rows(args.base, args.dim), rows(args.queries, args.dim)
    k = min(args.k, len(base))

    graph = hnswlib.Index("ip", args.dim)
    graph.init_index(len(base), ef_construction=args.efc, M=args.m)
    graph.set_num_threads(args.threads)
    start = time.perf_counter()
    graph.add_items(base)
    build = time.perf_counter() - start
    graph.set_num_threads(1)

    flat = faiss.IndexFlatIP(args.dim)
    flat.add(base)
    truth = [set(row) for row in flat.search(queries, k)[1].tolist()]
    del flat, base
    tell(index="hnswlib", build_s=round(build, 3))

    recalls = {}
    for _ in sys.stdin:
        for ef in args.ef:
            graph.set_ef(max(ef, k))
            if ef not in recalls:
                # Also brings everything into the caches once before it is timed.
                found = graph.knn_query(queries, k)[0].tolist()
                recalls[ef] = sum(len(right & set(row)) for row, right in zip(found, truth)) / (len(truth) * k)
            start = time.perf_counter()
            graph.knn_query(queries, k)
            seconds = time.perf_counter() - start
            tell(ef=max(ef, k), recall=round(recalls[ef], 4), qps=round(len(queries) / seconds, 1))


if __name__ == "__main__":
    main()
