#!/usr/bin/env python3
"""Prints titles of real products, one a line: what the benchmarks of embedding embed.

usage: titles.py [N]
The first N (600 unless given, 0 for all) of ../shared/data/beauty where that folder is, else of the fixture catalogue.
"""
import csv
import json
import os
import sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
limit = int(sys.argv[1]) if len(sys.argv) > 1 else 600
beauty = os.path.join(root, "../shared/data/beauty/products.csv")
fixtures = os.path.join(root, "fixtures/catalogue/products.jsonl")
with open(beauty if os.path.exists(beauty) else fixtures, encoding="utf-8") as file:
    products = list(csv.DictReader(file)) if os.path.exists(beauty) else [json.loads(line) for line in file]
sys.stdout.reconfigure(encoding="utf-8")
for product in products[: limit or None]:
    print(" ".join(product["title"].split()))
