"""Prints the figures that pytrec_eval (package pytrec-eval-terrier) gives for a TREC run, one line a query, then
the mean, for comparison with xunpin-eval:

    python pytrec_reference.py qrels.txt run.txt > expected.tsv

pytrec_eval's nDCG gain is linear, so grades are mapped to 2^grade - 1 first. It has no depth for the reciprocal
rank, so that is taken from the first ten results. It breaks ties by document id, downwards; here the order is made
explicit: by score, then by rank, then by id. The mean is over the queries with a relevant judgement, and one
without results counts as 0.
"""

import sys
from collections import defaultdict

import pytrec_eval


def main(qrels_path, run_path):
    qrels, results = defaultdict(dict), defaultdict(list)
    for line in open(qrels_path, encoding="utf-8"):
        query, _, doc, grade = line.split()
        qrels[query][doc] = int(grade)
    for line in open(run_path, encoding="utf-8"):
        query, _, doc, rank, score, _ = line.split()
        results[query].append((-float(score), int(rank), doc))
    run, top = {}, {}
    for query, found in results.items():
        docs = [doc for _, _, doc in sorted(found)]
        run[query] = {doc: float(-at) for at, doc in enumerate(docs)}
        top[query] = {doc: float(-at) for at, doc in enumerate(docs[:10])}

    gains = {q: {d: 2 ** max(g, 0) - 1 for d, g in judged.items()} for q, judged in qrels.items()}
    ndcg = pytrec_eval.RelevanceEvaluator(gains, {"ndcg_cut.10"}).evaluate(run)
    recall = pytrec_eval.RelevanceEvaluator(qrels, {"recall.10,100"}).evaluate(run)
    reciprocal = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(top)

    print("query", "ndcg@10", "mrr@10", "recall@10", "recall@100", sep="\t")
    rows = []
    for query in sorted(qrels):
        if max(qrels[query].values()) < 1:
            continue
        row = [0.0] * 4
        if query in run:
            row = [
                ndcg[query]["ndcg_cut_10"],
                reciprocal[query]["recip_rank"],
                recall[query]["recall_10"],
                recall[query]["recall_100"],
            ]
        rows.append(row)
        print(query, *(f"{value:.9f}" for value in row), sep="\t")
    print("mean", *(f"{sum(column) / len(rows):.9f}" for column in zip(*rows)), sep="\t")


main(*sys.argv[1:])
