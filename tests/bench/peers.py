#!/usr/bin/env python3
"""Embedding beside other programs: same texts, same machine, in turns. A Markdown table on standard output.

usage: peers.py XUNPIN MODEL PEERS_PYTHON [--rounds 3] [--titles 600] [--texts FILE] [--threads N]
                [--precisions f32,bf16,int8] [--variants f32,bf16,int8] [--gguf FILE ...]
Ours in every precision that this build can run; sentence-transformers by ../shared/bench/peer_embed.py; llama.cpp by
peer_llama.py where PEERS_PYTHON has llama_cpp and --gguf names the model, once for each type (llama.sh makes both). What is
missing is said and left out. Cosines are to f32: ours to our own, sentence-transformers' to its own, llama.cpp's to ours. Figures
are medians of the rounds; a ratio is the median of the rounds' ratios. Each measurement is printed on standard error as it is made.
The machine should do nothing else: the peers' threads wait for one another at every product, so another program slows them far
more than its share (on two cores one busy program made llama.cpp up to ten times slower). Above the table stands what others took.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PEER_EMBED = os.path.join(HERE, "../../../shared/bench/peer_embed.py")


def say(text):
    print(text, file=sys.stderr, flush=True)


def lines(command):
    """The JSON lines that a program prints; none if it fails, which is said."""
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    if ran.returncode != 0:
        said = ran.stderr.strip().splitlines()
        say(f"left out, exit code {ran.returncode}: {' '.join(command)}: {said[-1] if said else ''}")
        return []
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


def worked():
    """Seconds that the processors worked, for all programs and for those that we ran, and could have; none where /proc/stat is not."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in file.readline().split()[1:9]]
    except OSError:
        return None
    ours = os.times()
    return sum(ticks) - ticks[3] - ticks[4], ours.children_user + ours.children_system, sum(ticks)


def by_others(before, after):
    """Share of the processors that other programs took between two calls of `worked`; none if too little time went by to tell."""
    if not (before and after):
        return None
    busy, ours, possible = (b - a for a, b in zip(before, after))
    return max(0.0, (busy - ours) / possible) if possible >= 1 else None


def folder_of(xunpin, model):
    if os.path.isdir(model):
        return model
    listed = json.loads(subprocess.check_output([xunpin, "model", "list", "--format", "json"]))
    return next(m["folder"] for m in listed["models"] if m["name"] == model)


class Programs:
    """What can be measured here: a function for each program, giving name and figures of its variants."""

    def __init__(self, args, texts, scratch):
        self.args, self.texts = args, texts
        self.folder = folder_of(args.xunpin, args.model)
        self.all = [self.ours(self.usable(args.precisions.split(",")))]
        if not os.access(args.python, os.X_OK):
            say(f"no peers: {args.python} is not there; `make peers` installs them")
            return
        if os.path.exists(PEER_EMBED):
            self.all.append(self.sentence_transformers)
        else:
            say("no sentence-transformers: ../shared/bench/peer_embed.py is not there")
        if subprocess.run([args.python, "-c", "import llama_cpp"], stderr=subprocess.DEVNULL).returncode != 0:
            say(f"no llama.cpp: {args.python} has no llama_cpp; `make peers-llama` installs it")
            return
        for gguf in args.gguf:
            if not os.path.exists(gguf):
                say(f"left out, not there: {gguf}")
        self.ggufs = [gguf for gguf in args.gguf if os.path.exists(gguf)]
        if self.ggufs:
            self.reference = self.vectors(os.path.join(scratch, "reference.jsonl"))
            self.all.append(self.llama)
        else:
            say("no llama.cpp: no GGUF file; `make peers-llama` converts the model, --gguf (GGUF=FILE for make) names one")

    def usable(self, precisions):
        """Those that this build can run the model in."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as one:
            one.write("面霜\n")
            one.flush()
            probe = [self.args.xunpin, "bench", "embed", one.name, "--model", self.args.model, "--lengths", "8", "--format", "json"]
            return [p for p in precisions if lines(probe + ["--precision", p])]

    def vectors(self, path):
        """Our f32 vectors of the texts, for programs that can't tell their own cosines; none if that fails."""
        with open(self.texts, encoding="utf-8") as file:
            records = [json.dumps({"id": number, "text": line.rstrip("\n")}) for number, line in enumerate(file) if line.strip()]
        command = [self.args.xunpin, "embed", "--model", self.args.model, "--precision", "f32", "--threads", str(self.args.threads)]
        with open(path, "wb") as out:
            ran = subprocess.run(command, input="\n".join(records).encode(), stdout=out)
        if ran.returncode != 0:
            say("no cosines of llama.cpp: xunpin has no f32 vectors")
            return None
        return path

    def ours(self, precisions):
        def measure():
            command = [self.args.xunpin, "bench", "embed", self.texts, "--model", self.args.model, "--threads", str(self.args.threads)]
            command += ["--precision", ",".join(precisions), "--lengths", "32", "--format", "json"]
            for cell in (cell for report in lines(command) for cell in report["cells"]):
                cosine = cell.get("cosine", {})
                yield f"xunpin {cell['precision']}", dict(cell, cos_mean=cosine.get("mean"), cos_min=cosine.get("least"))
        return measure

    def sentence_transformers(self):
        command = [self.args.python, PEER_EMBED, self.folder, self.texts, "--threads", str(self.args.threads)]
        for figures in lines(command + ["--variants", self.args.variants]):
            yield f"sentence-transformers {figures['variant']}", figures

    def llama(self):
        script = os.path.join(HERE, "peer_llama.py")
        for gguf in self.ggufs:
            command = [self.args.python, script, gguf, self.folder, self.texts, "--threads", str(self.args.threads)]
            for figures in lines(command + (["--reference", self.reference] if self.reference else [])):
                yield f"llama.cpp {figures['variant']}", figures


def table(rounds, titles, threads, others):
    names = list(dict.fromkeys(name for figures in rounds for name in figures))
    ours = [name for name in names if name.startswith("xunpin ")]
    peers = [name for name in names if name not in ours]

    def median(name, figure):
        found = [figures[name][figure] for figures in rounds if figures.get(name, {}).get(figure) is not None]
        return statistics.median(found) if found else None

    def ratio(name, peer):
        found = [f[name]["docs_per_s"] / f[peer]["docs_per_s"] for f in rounds if name in f and peer in f]
        return f"{statistics.median(found):.2f}" if found else ""

    def show(value, digits):
        return "" if value is None else f"{value:.{digits}f}"

    print(f"{titles} titles, {threads} threads, {len(rounds)} rounds in turns; columns on the right: titles/s as a multiple of the peer's")
    if others:
        print(f"Other programs took at most {max(others):.0%} of the processors while one was measured, {statistics.median(others):.0%} in the middle.")
    print()
    header = ["", "titles/s", "one query p50, ms", "cosine to f32, mean", "least", *peers]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for name in names:
        row = [f"**{name}**" if name in ours else name, show(median(name, "docs_per_s"), 1), show(median(name, "query_p50_ms"), 1)]
        row += [show(median(name, "cos_mean"), 4), show(median(name, "cos_min"), 4)]
        row += [ratio(name, peer) if name in ours else "" for peer in peers]
        print("| " + " | ".join(row) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("xunpin")
    parser.add_argument("model")
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--titles", type=int, default=600)
    parser.add_argument("--texts")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--precisions", default="f32,bf16,int8")
    parser.add_argument("--variants", default="f32,bf16,int8")
    parser.add_argument("--gguf", nargs="*", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        texts = args.texts
        if not texts:
            texts = os.path.join(folder, "titles.txt")
            with open(texts, "wb") as file:
                file.write(subprocess.check_output([sys.executable, os.path.join(HERE, "titles.py"), str(args.titles)]))
        with open(texts, encoding="utf-8") as file:
            titles = sum(1 for line in file if line.strip())
        programs = Programs(args, texts, folder)
        rounds, others = [], []
        for number in range(args.rounds):
            figures = {}
            for measure in programs.all:
                before = worked()
                for name, found in measure():
                    say(f"round {number + 1}: {name}: {found['docs_per_s']} titles/s, one query {found['query_p50_ms']} ms")
                    figures[name] = found
                share = by_others(before, worked())
                if share is not None:
                    say(f"round {number + 1}: meanwhile other programs took {share:.0%} of the processors")
                    others.append(share)
            rounds.append(figures)
    if not any(rounds):
        sys.exit("peers.py: nothing could be measured")
    table(rounds, titles, args.threads, others)


if __name__ == "__main__":
    main()
