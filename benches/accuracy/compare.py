"""Is winback as good as what else could be fitted to the same log? Writes a Markdown table.

    python compare.py DATA_FOLDER BIN_FOLDER WORK_FOLDER

At every cutoff everyone learns from labels that had ended by then. The last cutoff is for showing,
not for choosing: whoever tunes anything looks at the earlier ones.
"""

import datetime
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from judge import Difference, auc, log_losses
from panel import TASKS, Log, Task, engineered, snapshot, training_cutoffs, winback_first_cutoff
from peers import PEERS

OWN_BASELINES = {"recency": "recency, calibrated", "mbg_nbd": "MBG/NBD"}


def date(day: int) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day))).isoformat()


class Winback:
    """The binaries, at one cutoff of one task."""

    def __init__(self, binaries: Path, work: Path, orders: Path, task: Task, log: Log):
        self.binaries, self.work, self.task, self.log = binaries, work, task, log
        self.reading = ["--orders", str(orders), "--date-col", task.date, "--refunds", task.refunds]

    def run(self, name: str, *options: str):
        done = subprocess.run([str(self.binaries / name), *options], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{name} {' '.join(options)}\n{done.stderr}")

    def evaluate(self, cutoff: int) -> dict:
        out = self.work / "evaluation.json"
        self.run("evaluate", *self.reading, "--horizon-days", str(self.task.horizon),
                 "--until", date(cutoff + self.task.horizon), "--json", str(out))
        return json.loads(out.read_text())

    def score(self, cutoff: int) -> pl.DataFrame:
        """The same model from `train`, which sees no order after the cutoff."""
        model, out = self.work / "model.json", self.work / "scores.parquet"
        first = winback_first_cutoff(self.log, cutoff, self.task.horizon)
        self.run("train", *self.reading, "--horizon-days", str(self.task.horizon),
                 "--until", date(cutoff), "--first-cutoff", date(first), "--model-out", str(model))
        self.run("score", "--model", str(model), "--orders", self.reading[1], "--as-of", date(cutoff),
                 "--out", str(out))
        return pl.read_parquet(out)


def measures(p, test) -> dict[str, float]:
    recent = test.recent
    return {"auc": auc(p, test.churned), "recent_auc": auc(p[recent], test.churned[recent]),
            "loss": log_losses(p, test.churned).mean(),
            "recent_loss": log_losses(p[recent], test.churned[recent]).mean()}


def from_json(every: dict, recent: dict) -> dict[str, float]:
    return {"auc": every["auc"], "recent_auc": recent["auc"],
            "loss": every["log_loss"], "recent_loss": recent["log_loss"]}


def check_no_leak(log: Log, cutoff: int, horizon: int):
    """The features must not move when every later order is taken away."""
    whole, cut = snapshot(log, cutoff, horizon), snapshot(log.known_at(cutoff), cutoff, horizon)
    # Sums run over all customers, so that only their rounding may differ.
    np.testing.assert_allclose(engineered(whole.x), engineered(cut.x), rtol=1e-8, atol=1e-8)


class Comparison:
    def __init__(self, task: Task, data: Path, binaries: Path, work: Path):
        self.task = task
        self.log = Log.read(data / task.file, task.date, task.refunds)
        self.winback = Winback(binaries, work, data / task.file, task, self.log)
        self.rows: dict[str, list[dict]] = {}
        self.differences = {name: Difference() for name in PEERS}
        self.cutoffs = task.test_cutoffs(self.log)
        check_no_leak(self.log, self.cutoffs[0], task.horizon)
        for cutoff in self.cutoffs:
            self.at(cutoff)

    def at(self, cutoff: int):
        horizon, is_last = self.task.horizon, cutoff == self.cutoffs[-1]
        training = [snapshot(self.log, day, horizon) for day in training_cutoffs(self.log, cutoff, horizon)]
        test = snapshot(self.log, cutoff, horizon)
        evaluation = self.winback.evaluate(cutoff)
        every, recent = evaluation["all"], evaluation["recent"]
        assert (every["rows"], recent["rows"]) == (len(test.churned), int(test.recent.sum()))
        own = self.scored(test)
        by_scores, by_evaluate = measures(own, test), from_json(every, recent)
        for name, value in by_evaluate.items():
            assert abs(by_scores[name] - value) < 1e-9, (self.task.name, date(cutoff), name)
        self.row("winback", by_evaluate)
        for name, peer in PEERS.items():
            p = peer(training, test)
            self.row(name, measures(p, test))
            if not is_last:
                self.differences[name].add(test.customer, test.churned, own, p)
        for key, name in OWN_BASELINES.items():
            self.row(name, from_json(every["baselines"][key], recent["baselines"][key]))
        self.sizes = (len(test.churned), int(test.recent.sum()))
        print(self.task.name, date(cutoff), len(training), "training cutoffs", file=sys.stderr, flush=True)

    def scored(self, test) -> np.ndarray:
        scores = self.winback.score(test.cutoff)
        by_id = dict(zip(scores["customer_id"].cast(pl.String), scores["churn_probability"]))
        return np.array([by_id[str(customer)] for customer in self.log.ids[test.customer]])

    def row(self, name: str, values: dict[str, float]):
        self.rows.setdefault(name, []).append(values)

    def markdown(self) -> str:
        everyone, recent = self.sizes
        earlier = ", ".join(date(day) for day in self.cutoffs[:-1])
        lines = [f"### {self.task.name} days", "",
                 f"Last cutoff {date(self.cutoffs[-1])}: {everyone:,} customers, {recent:,} recent. "
                 f"Earlier cutoffs: {earlier}.", "",
                 "| | last cutoff: AUC | recent | log-loss | recent | earlier, mean: AUC | recent | log-loss "
                 "| recent | winback − it: AUC ± s.e. | log-loss ± s.e. | cutoffs won: AUC, log-loss |",
                 "|---|---|---|---|---|---|---|---|---|---|---|---|"]
        for name, rows in self.rows.items():
            shown = [rows[-1], {key: np.mean([row[key] for row in rows[:-1]]) for key in rows[0]}]
            cells = [f"{number(one[key])}" for one in shown for key in ("auc", "recent_auc", "loss", "recent_loss")]
            cells += self.difference(name)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def difference(self, name: str) -> list[str]:
        if name not in self.differences:
            return ["", "", ""]
        d = self.differences[name].summary()
        return [f"{d['auc']:+.4f} ± {d['auc_se']:.4f}", f"{d['loss']:+.4f} ± {d['loss_se']:.4f}",
                f"{d['auc_wins']}, {d['loss_wins']} of {d['cutoffs']}"]


def number(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def main():
    data, binaries, work = (Path(argument) for argument in sys.argv[1:4])
    packages = ("numpy", "polars", "scikit-learn", "lightgbm")
    print("Versions: " + ", ".join(f"{name} {version(name)}" for name in packages) + "\n")
    for task in TASKS:
        if (data / task.file).exists():
            print(Comparison(task, data, binaries, work).markdown(), flush=True)
        else:
            print(f"### {task.name} days\n\nleft out: no {task.file} in the folder\n")


if __name__ == "__main__":
    main()
