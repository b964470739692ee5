"""The budget operator against oracles that share no formula with it: numpy's long double over 120,000 ordinary rows, mpmath
over extreme ones. Where a row may spend b: KL(policy || base) <= b exactly, and b - KL <= 1e-12 b unless the next larger double l
overspends."""
import ctypes
import os

import mpmath as mp
import numpy as np

PROGRAM = os.environ.get("MIGHTNT", "build/mightnt")
LIBRARY = ctypes.CDLL(os.path.join(os.path.dirname(os.path.abspath(PROGRAM)), "libmightnt.so"))
BUDGET, PENALTY, TVD, CHI2, NONE = range(5)


def pointer(array):
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def regularize(lp, z, b, kind=BUDGET):
    lp, z, b = (np.ascontiguousarray(x, float) for x in (lp, z, b))
    (B, V), out, l, nats = lp.shape, np.full(lp.shape, np.nan), np.full(len(b), np.nan), np.full(len(b), np.nan)
    status = LIBRARY.mn_regularize(kind, pointer(out), pointer(l), pointer(nats), pointer(lp), pointer(z), pointer(b),
                                   ctypes.c_size_t(B), ctypes.c_size_t(V), None)
    assert status == 0
    return out, l, nats


def gradients(lp, z, b, policy, l, g, h, kind=BUDGET):
    lp, z, b, policy, l, g, h = (np.ascontiguousarray(x, float) for x in (lp, z, b, policy, l, g, h))
    B, V = lp.shape
    dz, db = np.full(lp.shape, np.nan), np.full(B, np.nan)
    status = LIBRARY.mn_regularize_backward(kind, pointer(dz), pointer(db), pointer(g), pointer(h), pointer(policy), pointer(l),
                                            pointer(lp), pointer(z), pointer(b), ctypes.c_size_t(B), ctypes.c_size_t(V), None)
    assert status == 0
    return dz, db


# ---- ordinary rows, in long double ----

def kl_long(lp, z, l):
    lp, z, l = (x.astype(np.longdouble) for x in (lp, z, l))
    with np.errstate(divide="ignore", invalid="ignore"):
        base = lp - np.log(np.exp(lp).sum(1, keepdims=True))
        y = np.where(np.isneginf(lp) | np.isneginf(z), -np.inf, base + l[:, None] * np.where(np.isneginf(z), 0, z))
        top = y.max(1, keepdims=True)
        y = y - top - np.log(np.exp(y - top).sum(1, keepdims=True))
        return np.where(np.isneginf(y), 0, np.exp(y) * (y - base)).sum(1)


def ordinary(rng, B, V, spread, height, masks, holes):
    lp = spread * rng.standard_normal((B, V))
    lp[(rng.random((B, V)) < holes) & (np.arange(V) != 1)] = -np.inf
    lp -= np.log(np.exp(lp).sum(1, keepdims=True))
    z = height * rng.standard_normal((B, V))
    z[(rng.random((B, V)) < masks) & (np.arange(V) != 1)] = -np.inf
    return lp, z, kl_long(lp, z, np.ones(B)).astype(float) * rng.uniform(.02, 1.05, B)


def test_ordinary_rows():
    rng, rows, bound = np.random.default_rng(1), 0, 0
    for V, B in ((2, 20000), (5, 20000), (27, 20000), (128, 4000)):
        for spread, height, masks, holes in ((.5, 1, 0, 0), (2.5, 2, 0, 0), (2.5, 2, 0, .3), (2.5, 10, .1, 0)):
            lp, z, b = ordinary(rng, B // 2, V, spread, height, masks, holes)
            keep = b > 1e-4  # long double has no digits to spare below
            lp, z, b = lp[keep], z[keep], b[keep]
            out, l, nats = regularize(lp, z, b)
            kl = np.where(l > 0, kl_long(lp, z, l), 0)
            assert (kl <= b).all() and (nats <= b).all()
            assert (abs(nats - kl) <= 5e-13 * b).all()
            tilted = (l > 0) & (l < 1)
            assert ((b - kl)[tilted] <= 1e-12 * b[tilted]).all()
            assert (kl_long(lp, z, np.ones(len(b)))[l == 1] <= b[l == 1]).all()
            mask_kl = kl_long(lp, z, np.full(len(b), 1e-300))
            assert (mask_kl[l == 0] > b[l == 0] * (1 - 1e-15)).all() and (out[l == 0] == lp[l == 0]).all()
            sums = np.exp(out.astype(np.longdouble)).sum(1)
            assert (abs(sums - 1)[l > 0] < 1e-13).all()
            rows, bound = rows + len(b), bound + tilted.sum()
    assert rows > 100000 and bound > 80000


# ---- extreme rows, in as many digits as they need ----

def exact(x):
    return mp.mpf(float(x))


def kl_exact(lp, z, l):
    if l == 0:
        return mp.mpf(0)
    support = [(exact(a), exact(s)) for a, s in zip(lp, z) if a > -np.inf]
    kept = [(a, a + exact(l) * s) for a, s in support if s > -mp.inf]
    top, top_base = max(y for _, y in kept), max(a for a, _ in support)
    weights = [mp.exp(y - top) for _, y in kept]
    Z = mp.fsum(weights)
    shift = top + mp.log(Z) - top_base - mp.log(mp.fsum(mp.exp(a - top_base) for a, _ in support))
    return mp.fsum(w / Z * (y - a - shift) for w, (a, y) in zip(weights, kept) if w)


def assert_right(lp, z, b, l, nats):
    height = np.log10(np.abs(z[np.isfinite(z)]).max(initial=1))
    digits = 2.2 * max(0, -np.log10(b), height, -.44 * np.where(lp > -2000, lp, 0).min())
    mp.mp.dps = 60 + int(digits)
    kl, limit = kl_exact(lp, z, l), exact(b)
    assert kl <= limit and nats <= b, (lp, z, b, l)
    assert abs(exact(nats) - kl) <= mp.mpf(1e-12) * limit + mp.mpf(1e-323), (lp, z, b, l, nats)
    if l < 1 and limit - kl > mp.mpf(1e-12) * limit:
        assert kl_exact(lp, z, np.nextafter(l, 1)) > limit, (lp, z, b, l)


def extreme(rng):
    V = rng.integers(2, 12)
    lp = rng.choice([.1, 1, 2.5, 10, 100, 1000]) * rng.standard_normal(V)
    z = rng.choice([1, 2, 1e-5, 1e5, 1e300, 1e-300, 100, 1e16]) * rng.standard_normal(V)
    for _ in range(2):
        i, j = rng.integers(1, V), rng.integers(V)
        lp[i] = rng.choice([lp[i], lp.max() - 690, lp.max() - 1e4, -np.inf, -1e300])
        z[j] = rng.choice([z[j], 1e300, -1e300, -np.inf, 0])
    lp -= lp.max()
    lp -= np.log(np.exp(lp).sum())
    b = rng.choice([rng.uniform(0, 2), 10 ** rng.uniform(-12, 3), 1e-300, 10 ** rng.uniform(-320, -12), 1e-100, np.log(2)])
    return lp, z, b


def test_extreme_rows():
    rng, seen = np.random.default_rng(2), 0
    for _ in range(1500):
        lp, z, b = extreme(rng)
        support = np.isfinite(lp)
        if np.isneginf(z[support]).all() or np.ptp(np.where(support, z, z[support][0])) == 0:
            continue
        out, l, nats = regularize(lp[None], z[None], [b])
        assert_right(lp, z, b, l[0], nats[0])
        assert l[0] == 0 or abs(np.exp(out[0]).sum() - 1) < 1e-12
        seen += 1
    assert seen > 1200


def test_scores_of_1e300_and_all_the_budget():
    lp, z = np.log([[1e-300, 1.0, .5e-300]]), np.array([[1e300, -1e300, 1e300]])
    out, l, nats = regularize(lp, z, [np.inf])
    assert l[0] == 1 and abs(nats[0] / (-np.log(1.5e-300)) - 1) < 1e-15
    assert np.allclose(np.exp(out[0]), [2 / 3, 0, 1 / 3], rtol=1e-12, atol=0)


def test_a_step_between_neighbouring_doubles():
    """Base 0 and -1e300: the KL goes from 0 to 1e300 within one unit of l's last place. It must be the last double before."""
    lp, z = np.array([[0, -1e300]]), np.array([[0, 1.7e300]])
    _, l, nats = regularize(lp, z, [.5])
    mp.mp.dps = 400
    assert kl_exact(lp[0], z[0], l[0]) <= .5 < kl_exact(lp[0], z[0], np.nextafter(l[0], 1)) and nats[0] <= .5


def test_the_likeliest_entry_far_from_all_others():
    """Heights relative to its score of -1e300 are all equal in any fixed precision; among themselves they are not."""
    lp = np.array([-1.5, -1.479, -691.5, -10001.5, -1.574, -1.822, 0])
    lp[6] = np.log(1 - np.exp(lp[:6]).sum())
    z = np.array([-5145.4, -1e300, -20127.2, 130119.9, 80482.2, 80099.6, 0])
    _, l, nats = regularize(lp[None], z[None], [1.6323])
    assert_right(lp, z, 1.6323, l[0], nats[0])


def test_a_million_entries():
    rng = np.random.default_rng(3)
    lp, z, b = ordinary(rng, 1, 1000000, 2.5, 2, 1e-3, .1)
    _, l, nats = regularize(lp, z, b / 2)
    kl = kl_long(lp, z, l)
    assert 0 < l[0] < 1 and nats[0] <= b[0] / 2 and 0 <= b[0] / 2 - kl[0] <= 1e-12 * b[0]


# ---- gradients ----

def loss_exact(lp, z, b, g, h, kind):
    """The loss of one row in 40 digits, l by bisection on its own definition; also l."""
    p = [mp.exp(a) for a in lp]
    p = [x / mp.fsum(p) for x in p]

    def policy(l):
        w = [x * mp.exp(l * s) for x, s in zip(p, z)]
        return [x / mp.fsum(w) for x in w]

    def measure(l):
        q = policy(l)
        if kind == TVD:
            return mp.fsum(abs(x - y) for x, y in zip(q, p)) / 2
        if kind == CHI2:
            return mp.fsum(x * x / y for x, y in zip(q, p)) - 1
        return mp.fsum(x * mp.log(x / y) for x, y in zip(q, p))

    l = mp.mpf(1)
    if kind in (BUDGET, TVD, CHI2) and measure(l) > b:
        l = mp.findroot(lambda t: measure(t) - b, (mp.mpf(0.01), mp.mpf(1)), solver="anderson", tol=mp.mpf(10) ** -60)
    q = policy(l)
    return mp.fsum(x * mp.log(y) for x, y in zip(g, q)) + h * mp.fsum(x * mp.log(x / y) for x, y in zip(q, p)), l


def test_gradients():
    mp.mp.dps = 40
    rng, bound = np.random.default_rng(4), 0
    for kind in (BUDGET, BUDGET, PENALTY, TVD, CHI2, NONE):
        for _ in range(6):
            V = rng.integers(2, 6)
            lp, z = 2 * rng.standard_normal(V), 2 * rng.standard_normal(V)
            lp -= np.log(np.exp(lp).sum())
            b, g, h = rng.uniform(.02, .3), rng.standard_normal(V), rng.standard_normal()
            out, l, _ = regularize(lp[None], z[None], [b], kind)
            dz, db = gradients(lp[None], z[None], [b], out, l, g[None], [h], kind)
            x = [mp.mpf(v) for v in z] + [mp.mpf(b)]
            step = mp.mpf(10) ** -13
            for i in range(V + 1):
                moved = [x[:i] + [x[i] + side * step] + x[i + 1:] for side in (-1, 1)]
                sides = [loss_exact(lp, y[:V], y[V], g, h, kind)[0] for y in moved]
                want, got = (sides[1] - sides[0]) / (2 * step), db[0] if i == V else dz[0, i]
                assert abs(got - want) <= 1e-6 * abs(want) + mp.mpf(10) ** -12, (kind, i, got, want)
            bound += l[0] < 1
    assert bound >= 12


def test_gradients_of_rows_nearly_certain():
    """One entry has all but 1e-12 of the mass: its own gradient keeps its digits."""
    lp = np.log([[1 - 1e-12, .4e-12, .6e-12]])
    z, g = np.array([[0., 1., -1.]]), np.array([[1., 0., 0.]])
    out, l, _ = regularize(lp, z, [1.], NONE)
    dz, _ = gradients(lp, z, [1.], out, l, g, [0.], NONE)
    mp.mp.dps = 40
    w = [mp.exp(exact(a) + exact(s)) for a, s in zip(lp[0], z[0])]
    want = [(i == 0) - w[i] / mp.fsum(w) for i in range(3)]
    want[0] = (w[1] + w[2]) / mp.fsum(w)
    want[1:] = [-x / mp.fsum(w) for x in w[1:]]
    assert all(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(dz[0], want))
