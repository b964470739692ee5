# The same PPO update in PyTorch, for bench/bench_ppo: pip install torch==2.13.0 numpy; python ppo_torch.py [THREADS]
# 64 x 256 samples, 256 features, actor and critic with two layers of 128, 512 scores on a frozen base, 4 epochs, batch 2048.
# Seconds an update, minimum and median: CPU seconds with one thread, wall seconds with more.
import statistics
import sys
import time

import torch

N, F, H, A, MINIBATCH, EPOCHS, REPEATS = 64 * 256, 256, 128, 512, 2048, 4, 9


def net(outputs):
    layers = torch.nn
    return layers.Sequential(layers.Linear(F, H), layers.Tanh(), layers.Linear(H, H), layers.Tanh(), layers.Linear(H, outputs))


class Learner:
    def __init__(self):
        torch.manual_seed(0)
        self.actor, self.critic = net(A), net(1)
        self.adam = torch.optim.Adam([*self.actor.parameters(), *self.critic.parameters()], lr=3e-4, fused=True)
        self.x = torch.randn(N, F)
        self.base = torch.log_softmax(2 * torch.randn(N, A), -1)
        with torch.no_grad():
            lp = torch.log_softmax(self.base + self.actor(self.x), -1)
            self.chosen = torch.multinomial(lp.exp(), 1)
            self.old = lp.gather(1, self.chosen)[:, 0]
            self.values = self.critic(self.x)[:, 0].view(64, 256)
        self.rewards = torch.rand(64, 256)

    def advantages(self, gamma=0.99, decay=0.95):
        out, last, after = torch.empty_like(self.rewards), torch.zeros(64), torch.zeros(64)
        for t in range(255, -1, -1):
            last = self.rewards[:, t] + gamma * after - self.values[:, t] + gamma * decay * last
            out[:, t], after = last, self.values[:, t]
        return out.view(-1), (out + self.values).view(-1)

    def loss(self, rows, advantage, target):
        base = self.base[rows]
        lp = torch.log_softmax(base + self.actor(self.x[rows]), -1)
        ratio = (lp.gather(1, self.chosen[rows])[:, 0] - self.old[rows]).exp()
        policy = -torch.min(ratio * advantage[rows], ratio.clamp(0.8, 1.2) * advantage[rows]).mean()
        value = (self.critic(self.x[rows])[:, 0] - target[rows]).pow(2).mean()
        return policy + 0.5 * value + 0.05 * (lp.exp() * (lp - base)).sum(-1).mean()

    def update(self):
        advantage, target = self.advantages()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for _ in range(EPOCHS):
            for rows in torch.randperm(N).split(MINIBATCH):
                self.adam.zero_grad(set_to_none=True)
                self.loss(rows, advantage, target).backward()
                self.adam.step()


threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
torch.set_num_threads(threads)
clock = time.process_time if threads == 1 else time.perf_counter
learner, took = Learner(), []
learner.update()
for _ in range(REPEATS):
    begin = clock()
    learner.update()
    took.append(clock() - begin)
print(f"torch {torch.__version__}, {threads} threads\t{min(took):.4f}\t{statistics.median(took):.4f}\ts (min, median)")
