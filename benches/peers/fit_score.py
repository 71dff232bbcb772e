"""Fit and score beside scikit-learn: the same seeded numbers, in turn, on the same machine.

    python fit_score.py --binary BINARY --data FOLDER      BINARY is the bench `peers` (see fit_score.rs)

Prints Markdown: medians in seconds and their ratios, after checking that both sides come to the same results.
The raw numbers are left in the folder as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

# Both sides have as many threads. numpy reads these when it is loaded.
THREADS = os.environ.get("WINBACK_PEERS_THREADS", str(os.cpu_count()))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, THREADS)

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

SEED = 1
WIDTH = 20
HORIZON = 90
# Both ends of the comparison stop well within this of the optimum.
COEFFICIENTS_WITHIN = 1e-6
PROBABILITIES_WITHIN = 1e-12
# The bars are for so many rows.
BARRED_ROWS = 1_000_000
FIT_BAR = 0.5
SCORE_BAR = 2.5
BANDWIDTH_BAR = 0.7
RAW_BAR = 8.0


def matrix(random, rows):
    """Columns of unit variance, some of them correlated, and labels of a logistic model."""
    x = random.standard_normal((WIDTH, rows))
    x[1::2] = 0.6 * x[::2] + 0.8 * x[1::2]
    eta = (np.arange(WIDTH) - 9.5) @ x / 20.0 - 0.5
    return x, (random.random(rows) < 1.0 / (1.0 + np.exp(-eta))).astype(np.uint8)


def features(random, rows):
    """Raw features as a shop's log has them: counts, days, amounts, and nulls where undefined."""
    n = 1.0 + random.geometric(0.35, rows) - 1.0
    interval = 1.0 + random.gamma(1.5, 30.0, rows).round()
    since = random.gamma(1.0, 80.0, rows).round()
    tenure = since + (n - 1.0) * interval
    shrunk = (tenure - since + HORIZON) / n
    amount = np.exp(random.normal(3.0, 0.7, rows))
    once, twice = n < 2.0, n < 3.0
    null = lambda where, values: np.where(where, np.nan, values)
    within = lambda days: np.clip(np.floor((days - since) / interval) + 1.0, 0.0, n)
    longest = interval * (1.0 + random.random(rows)).round(1)
    return {
        "days_since_last": since,
        "tenure_days": tenure,
        "n_purchases": n,
        "interval_shrunk_to_90_days": shrunk,
        "overdue_ratio_90_days": since / shrunk,
        "purchases_per_day_shrunk_90_days": n / (tenure + HORIZON),
        "interval_sd_days": null(twice, interval * random.random(rows)),
        "interval_max_days": null(once, longest),
        "interval_last_days": null(once, interval),
        "purchases_last_45_days": within(45.0),
        "purchases_last_90_days": within(90.0),
        "purchases_last_180_days": within(180.0),
        "purchases_last_360_days": within(360.0),
        "amount_mean": amount,
        "amount_last": amount * np.exp(random.normal(0.0, 0.3, rows)),
        "spend_amount_last_90_days": amount * within(90.0),
        "spend_amount_last_180_days": amount * within(180.0),
        "refund_fraction": np.where(random.random(rows) < 0.9, 0.0, random.random(rows)),
        "is_single_purchase": once.astype(float),
        "is_silent_beyond_longest": null(once, (since > longest).astype(float)),
    }


class Pipeline:
    """winback's model in scikit-learn's parts: logarithms, products, a scaler, predict_proba."""

    def __init__(self, folder):
        model = json.loads((folder / "model.json").read_text())["model"]
        self.transforms = (folder / "transforms.txt").read_text().split()
        self.kinds = [next(iter(term["kind"].items())) for term in model["terms"]]
        width = len(self.kinds)
        self.scaler = StandardScaler()
        self.scaler.mean_ = np.array([term["mean"] for term in model["terms"]])
        self.scaler.scale_ = np.array([term["sd"] for term in model["terms"]])
        self.scaler.var_, self.scaler.n_features_in_ = self.scaler.scale_**2, width
        self.regression = LogisticRegression()
        self.regression.coef_ = np.array([model["beta"][1:]])
        self.regression.intercept_ = np.array(model["beta"][:1])
        self.regression.classes_, self.regression.n_features_in_ = np.array([0, 1]), width

    def predict(self, raw):
        logged = []
        for transform, column in zip(self.transforms, raw):
            if transform == "Log1p":
                column = np.log1p(column)
            elif transform == "Log":
                column = np.log(column)
            logged.append(column)
        # One matrix, filled in place, column by column: faster than stacking copies.
        x = np.empty((len(raw[0]), len(self.kinds)), order="F")
        for j, (kind, of) in enumerate(self.kinds):
            if kind == "value":
                x[:, j] = logged[of]
            elif kind == "missing":
                x[:, j] = np.isnan(logged[of])
            elif kind == "product":
                np.multiply(logged[of[0]], logged[of[1]], out=x[:, j])
            else:
                np.subtract(logged[of[0]], logged[of[1]], out=x[:, j])
        x -= self.scaler.mean_
        x /= self.scaler.scale_
        np.nan_to_num(x, copy=False)
        return self.regression.predict_proba(x)[:, 1]


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def seconds_shown(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def verdict(name, ratio, sign, bar):
    met = ratio >= bar if sign == "≥" else ratio <= bar
    shown = f"{bar:.0%}" if name == "bandwidth" else f"{bar:g}"
    return f"{name} {sign} {shown}: {'met' if met else '**missed**'}"


def table(rows, rounds, medians, tolerance, apart):
    """Rows in the manner of compare.py's table."""
    fastest = lambda start: min((median, name) for name, median in medians.items() if name.startswith(start))
    fit, fit_name = fastest("sklearn fit")
    score, score_name = fastest("sklearn score")
    own = {work: medians[f"winback {work}"] for work in ("fit", "score", "sum", "raw")}
    barred = rows == BARRED_ROWS
    bars = lambda *told: ", ".join(verdict(*bar) for bar in told) if barred else "–"
    line = lambda work, ours, theirs, total, ratios, bars: (
        f"| {work} | {seconds_shown(ours)} | {seconds_shown(theirs)} | {total} | {ratios} | {bars} |"
    )
    solver = fit_name.removeprefix("sklearn fit ")
    return [
        f"{rows:,} rows of {WIDTH} columns; medians of {rounds} turns in one process per side. scikit-learn at the quicker",
        "of two orders of memory, its solvers at the loosest tolerance that ends within "
        f"{COEFFICIENTS_WITHIN:g} of the optimum ("
        + ", ".join(f"{name} {value:g}" for name, value in tolerance.items())
        + ").",
        "",
        "| work | winback | scikit-learn | plain sum | ratios | bars |",
        "|---|---|---|---|---|---|",
        line(
            "fit", own["fit"], fit, "–", f"{own['fit'] / fit:.2f} × the faster solver ({solver})",
            bars(("solver", own["fit"] / fit, "≤", FIT_BAR)),
        ),
        line(
            "score, matrix to probability", own["score"], score, seconds_shown(own["sum"]),
            f"`predict_proba` ({score_name.removeprefix('sklearn score ')}) takes {score / own['score']:.1f} ×, "
            f"{own['sum'] / own['score']:.0%} of the sum's bandwidth",
            bars(
                ("`predict_proba`", score / own["score"], "≥", SCORE_BAR),
                ("bandwidth", own["sum"] / own["score"], "≥", BANDWIDTH_BAR),
            ),
        ),
        line(
            "score, raw features to probability", own["raw"], medians["sklearn raw"], "–",
            f"the pipeline takes {medians['sklearn raw'] / own['raw']:.1f} ×",
            bars(("pipeline", medians["sklearn raw"] / own["raw"], "≥", RAW_BAR)),
        ),
        "",
        "Compared: " + ", ".join(f"{name} apart by {value:.0e} at most" for name, value in apart.items()) + ".",
        "",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, help="the bench `peers`")
    parser.add_argument("--data", type=Path, required=True, help="folder for the raw numbers and what passes between the sides")
    parser.add_argument("--rows", type=int, default=BARRED_ROWS)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    random = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(dir=arguments.data) as folder:
        folder = Path(folder)
        x, labels = matrix(random, arguments.rows)
        raw = features(random, arguments.rows)
        x.tofile(folder / "matrix.f64")
        (folder / "matrix.txt").write_text("".join(f"{j}\n" for j in range(WIDTH)))
        labels.tofile(folder / "labels.u8")
        np.concatenate(list(raw.values())).tofile(folder / "features.f64")
        (folder / "features.txt").write_text("".join(f"{name}\n" for name in raw))
        # The optimum, far beyond what is compared; also what is scored with.
        by_column = np.asfortranarray(x.T)
        by_row = np.ascontiguousarray(x.T)
        best = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=100).fit(by_row, labels)
        beta = np.concatenate([best.intercept_, best.coef_[0]])
        beta.tofile(folder / "beta.f64")
        ours = subprocess.Popen(
            [arguments.binary, "fit-score", str(folder)],
            env={**os.environ, "RAYON_NUM_THREADS": THREADS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(ours.stdout.readline())["work"] == "ready"

        def ask(work):
            ours.stdin.write(work + "\n")
            ours.stdin.flush()
            seconds = json.loads(ours.stdout.readline())["seconds"]
            return seconds, np.fromfile(folder / f"{work}.f64")

        pipeline = Pipeline(folder)
        raw = list(raw.values())
        fit = lambda x, solver, tol: lambda: LogisticRegression(solver=solver, tol=tol, max_iter=1_000).fit(x, labels)
        # The loosest tolerance at which a solver ends within 1e-6 of the optimum.
        tolerance = {}
        for solver in ["lbfgs", "newton-cholesky"]:
            for tol in [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]:
                found = fit(by_row, solver, tol)()
                off = np.abs(np.concatenate([found.intercept_, found.coef_[0]]) - beta).max()
                if off <= COEFFICIENTS_WITHIN:
                    tolerance[solver] = tol
                    break
        # numpy has its best order of memory: the faster of both is what counts.
        works = {
            "winback fit": lambda: ask("fit"),
            "winback score": lambda: ask("score"),
            "winback sum": lambda: ask("sum"),
            "winback raw": lambda: ask("raw"),
            "sklearn raw": lambda: timed(lambda: pipeline.predict(raw)),
        }
        for name, order in [("by row", by_row), ("by column", by_column)]:
            works[f"sklearn score {name}"] = lambda order=order: timed(lambda: best.predict_proba(order)[:, 1])
            for solver, tol in tolerance.items():
                works[f"sklearn fit {solver} {name}"] = lambda order=order, solver=solver, tol=tol: timed(fit(order, solver, tol))
        seconds, results = {name: [] for name in works}, {}
        for turn in range(arguments.rounds + 1):
            for name, work in works.items():
                took, results[name] = work()
                # The first turn warms up.
                if turn > 0:
                    seconds[name].append(took)
        ours.stdin.close()
        assert ours.wait() == 0
        apart = {
            "coefficients": np.abs(results["winback fit"] - beta).max(),
            "probabilities": np.abs(results["winback score"] - results["sklearn score by row"]).max(),
            "probabilities of raw features": np.abs(results["winback raw"] - results["sklearn raw"]).max(),
        }
        assert apart["coefficients"] <= COEFFICIENTS_WITHIN, apart
        assert apart["probabilities"] <= PROBABILITIES_WITHIN, apart
        assert apart["probabilities of raw features"] <= PROBABILITIES_WITHIN, apart
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        apart = {name: float(value) for name, value in apart.items()}
        raw = {"rows": arguments.rows, "tolerance": tolerance, "apart": apart, "seconds": seconds}
        (arguments.data / "fit_score.json").write_text(json.dumps(raw, indent=1))
        print("\n".join(table(arguments.rows, arguments.rounds, medians, tolerance, apart)))


if __name__ == "__main__":
    main()
