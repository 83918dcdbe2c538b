"""Prints the p values and intervals that scipy gives for paired scores, as JSON, for comparison with xunpin-eval:

    python significance_reference.py > significance.json

Scores are drawn with a fixed seed and rounded to tenths in some cases, so that ties and zeros occur. Every p value is
exact: scipy tries all 2^n sign assignments (n is at most 20). Intervals are percentiles of 200,000 resamples.
"""

import json

import numpy as np
from scipy import stats


def mean(values, axis=-1):
    return np.mean(values, axis=axis)


def case(name, a, b):
    a, b = np.asarray(a), np.asarray(b)
    test = stats.permutation_test(
        (a - b,), mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided", batch=65536
    )
    bootstrap = stats.bootstrap(
        (a - b,), mean, n_resamples=200_000, method="percentile", batch=10_000, rng=np.random.default_rng(7)
    )
    return {
        "name": name,
        "a": a.tolist(),
        "b": b.tolist(),
        "p_value": float(test.pvalue),
        "interval": [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)],
    }


rng = np.random.default_rng(20)


def scores(n, shift, digits):
    a = rng.random(n)
    b = np.clip(a - shift + 0.2 * rng.standard_normal(n), 0, 1)
    return np.round(a, digits), np.round(b, digits)


cases = [
    case("six queries", *scores(6, 0.1, 4)),
    case("twelve with ties and zeros", *scores(12, 0.05, 1)),
    case("sixteen", *scores(16, 0.15, 4)),
    case("twenty, hardly a difference", *scores(20, 0.01, 4)),
    case("twenty with ties and zeros", *scores(20, 0.06, 1)),
    case("twenty, a clear difference", *scores(20, 0.15, 4)),
]
print(json.dumps(cases, indent=1))
