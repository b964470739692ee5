"""The Python package vaderSentiment on the replies of bench_lexicon, turn and turn about with it.

    python3 bench/peers/lexicon_vader.py build/bench/bench_lexicon CACHE/lexicon/vaderSentiment.py"""
import importlib.util
import re
import statistics
import subprocess
import sys
import time

program, module = sys.argv[1:]
spec = importlib.util.spec_from_file_location("vaderSentiment", module)
package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
peer = package.SentimentIntensityAnalyzer()
lines = subprocess.run([program, "lines"], capture_output=True, check=True).stdout.decode().split("\0")[:-1]

ours, theirs = [], []
for _ in range(5):
    out = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    ours.append(float(re.search(r"([\d.]+) us a reply", out)[1]))
    begin = time.process_time()
    compounds = [peer.polarity_scores(line)["compound"] for line in lines]
    theirs.append(1e6 * (time.process_time() - begin) / len(lines))
    assert f"{sum(compounds):.4f}" == re.search(r"sum of compounds ([-\d.]+)", out)[1]

a, b = statistics.median(ours), statistics.median(theirs)
print(f"lexicon, us a reply: ours {a:.3f}, package {b:.1f}: {b / a:.0f} times as fast, sums of compounds equal")
