"""Does every feature and every product pay? Leaves each out in turn and writes a Markdown table.

    python ablate.py DATA_FOLDER

One strength for all, the columns that winback makes, its training cutoffs, and only test cutoffs
before the last one, so that nothing is chosen on that. A feature takes its products along.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from judge import Difference, auc, log_losses
from panel import MOST_TRAINING_CUTOFFS, OWN_PRODUCTS, TASKS, Log, Task, own_matrix, snapshot, winback_first_cutoff

STRENGTH = 10.0
NAMES = {"r": "days since last", "T": "tenure", "n": "purchases", "g": "interval shrunk", "o": "overdue ratio",
         "rate": "purchases per day", "sd": "interval sd", "max": "interval max", "last": "interval last",
         "n_H/2": "purchases in H/2", "n_H": "purchases in H", "n_2H": "purchases in 2H",
         "n_4H": "purchases in 4H", "mean_amount": "amount mean", "last_amount": "amount last",
         "spend_H": "spend in H", "spend_2H": "spend in 2H", "is_1": "is single purchase",
         "beyond_max": "is silent beyond longest", "r/T": "silence fraction", "own_return": "own return"}


def title(name: str) -> str:
    if " x " not in name:
        return NAMES[name]
    a, b = name.split(" x ")
    return f"{NAMES[a]} squared" if a == b else f"{NAMES[a]} × {NAMES[b]}"


def fitted(training, test, drop: frozenset[str]) -> np.ndarray:
    x = np.vstack([own_matrix(one.x, drop)[1] for one in training])
    y = np.concatenate([one.churned for one in training])
    mean, sd = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    varies = sd > 1e-12
    # An undefined value is the column's mean.
    ready = lambda x: np.nan_to_num((x[:, varies] - mean[varies]) / sd[varies])
    model = LogisticRegression(C=1.0 / STRENGTH, solver="newton-cholesky", tol=1e-8, max_iter=200)
    return model.fit(ready(x), y).predict_proba(ready(own_matrix(test.x, drop)[1]))[:, 1]


def ablated(task: Task, data: Path, left_out: list[str]):
    log = Log.read(data / task.file, task.date, task.refunds)
    differences = {name: Difference() for name in left_out}
    whole = []
    for cutoff in task.test_cutoffs(log)[:-1]:
        first, step = winback_first_cutoff(log, cutoff, task.horizon), max(task.horizon // 2, 1)
        days = [cutoff - task.horizon - back * step for back in range(MOST_TRAINING_CUTOFFS)]
        training = [snapshot(log, day, task.horizon) for day in sorted(days) if day >= first]
        test = snapshot(log, cutoff, task.horizon)
        everything = fitted(training, test, frozenset())
        whole.append((auc(everything, test.churned), log_losses(everything, test.churned).mean()))
        for name, difference in differences.items():
            difference.add(test.customer, test.churned, fitted(training, test, frozenset([name])), everything)
        print(task.name, cutoff, file=sys.stderr, flush=True)
    return np.mean(whole, axis=0), {name: one.summary() for name, one in differences.items()}


def main():
    data = Path(sys.argv[1])
    left_out = list(NAMES) + [f"{a} x {b}" for a, b in OWN_PRODUCTS]
    tasks = [task for task in TASKS if (data / task.file).exists()]
    results = [ablated(task, data, left_out) for task in tasks]
    print("| left out | " + " | ".join(f"{task.name}: AUC, log-loss" for task in tasks) + " | mean log-loss |")
    print("|---|" + "---|" * (len(tasks) + 1))
    shown = " | ".join(f"{a:.4f}, {loss:.4f}" for (a, loss), _ in results)
    print(f"| nothing | {shown} | {np.mean([loss for (_, loss), _ in results]):.4f} |")
    for name in left_out:
        cells = [one[name] for _, one in results]
        # Significant by customers, and in the same direction at most cutoffs.
        shown = " | ".join(
            f"{1e4 * c['auc']:+.1f}, {1e4 * c['loss']:+.1f} ± {1e4 * c['loss_se']:.1f}"
            f" ({c['cutoffs'] - c['loss_wins']}/{c['cutoffs']})" for c in cells)
        print(f"| {title(name)} | {shown} | {1e4 * np.mean([c['loss'] for c in cells]):+.1f} |")
    print("\nChanges without it, times 10,000; ± is a standard error clustered by customer; in brackets the "
          "cutoffs at which log-loss is not better without it.")


if __name__ == "__main__":
    main()
