# The budget operator in PyTorch, for bench/bench_regularize: pip install torch==2.13.0 numpy (compiling needs g++);
# python budget_torch.py. All rows at once, safeguarded Newton on the root of the KL, gradients by the implicit function theorem;
# `eager` on blocks of rows that fit the caches, `compiled` with the pass over the row fused by torch.compile. One thread. CPU
# microseconds a row, median of 9 rounds; the worst of KL - limit, where positive the limit is overspent. Keep freed memory, or
# half of the time is page faults:
#   MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=1000000000 python budget_torch.py
import statistics
import time

import numpy as np
import torch

torch.set_num_threads(1)


def rows(B, V, seed=1):
    rng = np.random.default_rng(seed)
    lp = 2.5 * rng.standard_normal((B, V))
    lp -= np.log(np.exp(lp).sum(1, keepdims=True))
    z = 2 * rng.standard_normal((B, V))
    w = np.exp(lp + z)
    kl = (w * z).sum(1) / w.sum(1) - np.log(w.sum(1))
    return lp, z, kl * rng.uniform(.02, 1.05, B)


def fused(lp, z, l):
    t = lp + l[:, None] * z
    top = t.amax(-1, keepdim=True)
    w = (t - top).exp()
    total = w.sum(-1)
    return (w * z).sum(-1) / total, (w * z * z).sum(-1) / total, total.log() + top[:, 0]


def in_place(lp, z, l):
    t = torch.addcmul(lp, l[:, None], z)
    top = t.amax(-1, keepdim=True)
    t.sub_(top).exp_()
    total = t.sum(-1)
    t.mul_(z)
    return t.sum(-1) / total, torch.linalg.vecdot(t, z) / total, total.log() + top[:, 0]


def newton(lp, z, b, cumulants):
    lo, hi, l, near = torch.zeros_like(b), torch.ones_like(b), torch.ones_like(b), False
    eps = 4 * torch.finfo(lp.dtype).eps
    for _ in range(52):
        mean, square, lnz = cumulants(lp, z, l)
        kl, slope = (l * mean - lnz).clamp_min(0), l * (square - mean * mean)
        within = kl <= b
        if near and bool(within.all()):
            break
        lo, hi = torch.where(within, l, lo), torch.where(within, hi, l)
        step = l - 2 * (kl - (kl * b).sqrt()) / slope
        new = torch.where((step >= lo - eps) & (step <= hi + eps), step.clamp(lo, hi), (lo + hi) / 2)
        near = near or bool(((new - l).abs() <= 64 * eps * l).all())
        l = torch.where(within, l, torch.maximum(lo, l - 2 * (kl - b) / slope - eps * l)) if near else new
    return l


class Budget(torch.autograd.Function):
    @staticmethod
    def forward(ctx, lp, z, b, solve):
        l = solve(lp, z, b)
        out = torch.addcmul(lp, l[:, None], z)
        lnz = torch.logsumexp(out, -1)
        out -= lnz[:, None]
        p = out.exp().mul_(z)
        mean = p.sum(-1)
        ctx.save_for_backward(z, out, l, mean, torch.linalg.vecdot(p, z) - mean * mean)
        return out, l * mean - lnz, l

    @staticmethod
    def backward(ctx, g, h, _):
        z, out, l, mean, var = ctx.saved_tensors
        total, bound = g.sum(-1), l < 1
        slope = torch.linalg.vecdot(g, z) - total * mean
        by_limit = torch.where(bound, slope / (l * var) + h, torch.zeros_like(l))
        weight = torch.where(bound, -slope * l / var, h * l * l)
        by_z = (g * l[:, None]).addcmul_(out.exp(), (weight[:, None] * (z - mean[:, None])).sub_((l * total)[:, None]))
        return None, by_z, by_limit, None


def timed(fn):
    times = []
    for _ in range(10):
        begun = time.process_time()
        fn()
        times.append(time.process_time() - begun)
    return statistics.median(times[1:])


compiled = torch.compile(fused, dynamic=False)
print("how\tV\tforward_us\tforward_backward_us\tworst_over_nats")
for V in (27, 128, 512, 4096, 32000, 49152):
    B = 32 if V > 4096 else 256
    lp, z, b = (torch.from_numpy(x) for x in rows(B, V))
    z.requires_grad_(), b.requires_grad_()
    g, h, block = torch.randn_like(lp), torch.randn_like(b), max(1, (1 << 17) // V)
    parts = [slice(i, i + block) for i in range(0, B, block)]
    blocks = lambda a, s, c: torch.cat([newton(a[i], s[i], c[i], in_place) for i in parts])
    for how, solve in (("eager", blocks), ("compiled", lambda a, s, c: newton(a, s, c, compiled))):
        def both():
            z.grad = b.grad = None
            out, kl, _ = Budget.apply(lp, z, b, solve)
            torch.autograd.backward((out, kl), (g, h))

        forward, whole = timed(lambda: Budget.apply(lp, z, b, solve)), timed(both)
        out, _, l = Budget.apply(lp, z, b, solve)
        over = ((out.exp() * (out - lp)).sum(-1) - b)[l < 1].max().item()
        print(f"{how}\t{V}\t{forward / B * 1e6:.2f}\t{whole / B * 1e6:.2f}\t{over:.1e}", flush=True)
