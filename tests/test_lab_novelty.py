"""The laboratory's theorem on novel situations, each figure from the sum over all programs."""

import numpy as np
import pytest

from lab_oracle import LN2, Histories, Language, Mixture, demonstrate, kl, lab, logs

SAYS3 = [[0, 1, 2]] * 3


def novelty_world():
    histories = Histories(3, 5, SAYS3)
    programs = Language(3, 20).programs()
    mu = ("mix", (.75, .25, 0.))
    counts = demonstrate(histories, mu, [[.5, .5, 0]] * 3, 10, 3)
    return histories, mu, Mixture(histories, programs, counts, shares=(7, 8, 9, 10))


def test_novelty():
    _, rows = lab("novelty", bits=20)
    histories, mu, xi = novelty_world()
    says_mu, p = histories.policy(mu), np.array([.4, .4, .2])
    prices = {"until time >= 3": (("time", 3), 6), "until seen 2": (("times", 2, 1), 5)}
    targets = {"always 2": (("always", 2), 5), "copy": (("rotate", 0), 4)}
    for start, (event, event_bits) in prices.items():
        for end, (target, target_bits) in targets.items():
            row = next(r for label, r in rows if label == f"{start} then {end}" and r["transcripts"] == 10)
            held, said, share = histories.once(event), histories.policy(target), 20 - 2 - event_bits - target_bits
            pi = [np.where(held[t][:, None], said[t], np.exp(xi.lp[t])) for t in range(5)]
            step = [kl(pi[t], xi.lp[t]) for t in range(5)]
            worst, expected = [None] * 5 + [np.zeros(9**5)], [None] * 5 + [np.zeros(9**5)]
            for t in reversed(range(5)):
                after = worst[t + 1].reshape(-1, 3, 3).max(2)
                worst[t] = step[t] + (np.where(pi[t] > 0, pi[t] * after, 0)).sum(1)
                mean = (expected[t + 1].reshape(-1, 3, 3) * p).sum(2)
                expected[t] = step[t] + (np.where(pi[t] > 0, pi[t] * mean, 0)).sum(1)
            assert row["KL(pi||xi) nats"] == pytest.approx(expected[0][0], rel=1e-9)
            most, limit = -np.inf, -np.inf
            could = histories.along(logs(says_mu))
            for t in range(1, 5):
                now = held[t] & ~np.repeat(held[t - 1], 9) & np.isfinite(could[t])
                if now.any():
                    most = max(most, worst[t][now].max())
                    mass = (xi.part[share][t] - xi.all[t])[now]
                    limit = max(limit, ((2 + event_bits + target_bits) * LN2 - mass).max())
            assert row["KL from E on"] == pytest.approx(most, rel=1e-9)
            assert row["bound nats"] == pytest.approx(limit, rel=1e-9)
            assert row["KL from E on"] <= row["bound nats"]
