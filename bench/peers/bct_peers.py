"""Other packages on bench_bct's letters, depth 10, one thread, CPU time, median and best of rounds; then bench_bct itself.
pip install vlmc pyaixi six; python bct_peers.py BUILD/bench/bench_bct. vlmc (Rust): the MAP tree, no evidence. pyaixi: binary
CTW."""
import subprocess
import sys
import time

BENCH, D, A = sys.argv[1], 10, 4


def letters(n):
    return [int(c) for c in subprocess.run([BENCH, "letters", str(n)], capture_output=True, text=True, check=True).stdout]


def report(name, n, rounds, fn):
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        fn()
        seconds.append(time.process_time() - begin)
    seconds.sort()
    print(f"{name}, {n} letters, depth {D}: median {1e-6 * n / seconds[rounds // 2]:.3f}, best {1e-6 * n / seconds[0]:.3f} "
          "million symbols a second", flush=True)


def vlmc_fit(x):
    import vlmc
    vlmc.VLMC(alphabet_size=A, max_depth=D, method="bct").fit([x])


def pyaixi_updates(bits):
    from pyaixi.prediction.ctw_context_tree import CTWContextTree
    tree = CTWContextTree(2 * D)
    tree.update_history(bits[:2 * D])
    for b in bits[2 * D:]:
        tree.update(b)


for count in (100_000, 1_000_000):
    text = letters(count)
    report("vlmc, MAP tree", count, 9, lambda: vlmc_fit(text))
x = letters(3_000)
report("pyaixi, updates of two bits a letter", len(x), 3, lambda: pyaixi_updates([b for s in x for b in (s >> 1, s & 1)]))
print(subprocess.run([BENCH], capture_output=True, text=True, check=True).stdout, end="")
