"""AUC and log-loss, and how sure a difference is when the same customers stand at several cutoffs."""

import numpy as np
from scipy.stats import rankdata

TINY = np.finfo(float).eps


def log_losses(p: np.ndarray, churned: np.ndarray) -> np.ndarray:
    p = np.clip(p, TINY, 1.0 - TINY)
    return -np.where(churned, np.log(p), np.log1p(-p))


def placements(p: np.ndarray, churned: np.ndarray) -> tuple[float, np.ndarray]:
    """AUC and each row's influence on it (DeLong, DeLong and Clarke-Pearson 1988); sums to 0."""
    rank = rankdata(p)
    positive = churned.astype(bool)
    within = np.empty_like(rank)
    within[positive], within[~positive] = rankdata(p[positive]), rankdata(p[~positive])
    m, n = positive.sum(), (~positive).sum()
    below = (rank - within) / np.where(positive, n, m)
    share = np.where(positive, below, 1.0 - below)
    auc = share[positive].mean()
    return auc, (share - auc) / np.where(positive, m, n)


def auc(p: np.ndarray, churned: np.ndarray) -> float:
    return placements(p, churned)[0]


class Difference:
    """Mean over cutoffs of one model's AUC and log-loss minus another's, clustered by customer."""

    def __init__(self):
        self.auc, self.loss, self.customers, self.auc_parts, self.loss_parts = [], [], [], [], []

    def add(self, customer, churned, p, other):
        (a, a_parts), (b, b_parts) = placements(p, churned), placements(other, churned)
        losses = log_losses(p, churned) - log_losses(other, churned)
        self.auc.append(a - b)
        self.loss.append(losses.mean())
        self.customers.append(customer)
        self.auc_parts.append(a_parts - b_parts)
        self.loss_parts.append((losses - losses.mean()) / len(losses))

    def summary(self) -> dict[str, float]:
        customers = np.concatenate(self.customers)
        error = lambda parts: np.sqrt(
            (np.bincount(customers, np.concatenate(parts)) ** 2).sum()) / len(parts)
        return {"auc": float(np.mean(self.auc)), "auc_se": float(error(self.auc_parts)),
                "loss": float(np.mean(self.loss)), "loss_se": float(error(self.loss_parts)),
                "auc_wins": sum(d > 0 for d in self.auc), "loss_wins": sum(d < 0 for d in self.loss),
                "cutoffs": len(self.auc)}
