"""Runs winback and its peers in turn and writes the table.

Every measurement is a process of its own, timed inside from opening the file to holding the result, the
libraries loaded before. Sides take turns within each round; the table shows medians. Before anything is
timed, results are compared: ids, days, counts and flags exactly, other floats to 1e-9 of their size.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
RELATIVE = 1e-9
# Sums of a day's cents leave dust of 1e-14 where one way of adding leaves none.
ABSOLUTE = 1e-12
LAST_DAY = "2024-12-30"
MONTHLY = [
    "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30",
    "2024-07-31", "2024-08-31", "2024-09-30", "2024-10-31", "2024-11-30", LAST_DAY,
]
LOGS = {
    "time": "by time",
    "shuffled": "shuffled",
    "customer": "by customer",
    "string": "by time, string ids",
}
# Logs that the bars hold for: integer ids, sorted by time or not at all.
BARRED = ("time", "shuffled")
FLOATS = ("shrunk", "ratio", "per_day", "sd_days", "amount", "fraction")
PEERS = {"duckdb": "DuckDB", "polars": "polars", "read": "bare read"}
# At least so many times faster than a peer; or at most so many times as long.
BARS = {
    "one": {"duckdb": (">=", 4.0), "polars": (">=", 15.0), "read": ("<=", 2.5)},
    "twelve": {"duckdb": (">=", 12.0)},
    "scores": {"read": ("<=", 3.0)},
}
MEMORY_BAR = 2.5
WORKS = {
    "one": "features, 1 cutoff",
    "twelve": "features, 12 cutoffs",
    "scores": "scores, saved model",
}


class Bench:
    def __init__(self, options):
        self.options = options
        self.prefix = shlex.split(os.environ.get("WINBACK_PEERS_PREFIX", ""))
        self.model = options.data / f"{options.name}_model.json"
        self.runs = []

    def file(self, log: str) -> Path:
        return self.options.data / f"{self.options.name}_{log}.parquet"

    def command(self, side: str, work: str, log: str) -> list:
        cutoffs = ["--cutoffs", ",".join(MONTHLY if work == "twelve" else [LAST_DAY])]
        file = [str(self.file(log))]
        if side == "winback" and work == "scores":
            return [self.options.binary, "scores", *file, "--model", str(self.model)]
        if side == "winback":
            return [self.options.binary, "features", *file, *cutoffs]
        if side == "own read":
            return [self.options.binary, "read", *file]
        return [sys.executable, str(HERE / "peer.py"), side, *file, *(cutoffs if side != "read" else [])]

    def run(self, side: str, work: str, log: str, out=None):
        """What one process told, or nothing where it failed."""
        command = [*self.prefix, *self.command(side, work, log), *(["--out", str(out)] if out else [])]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            print(f"  {side}: {reason}", file=sys.stderr)
            return None
        return json.loads(done.stdout.strip().splitlines()[-1])

    def check(self, work: str, log: str, sides) -> str:
        """Compares what every side computes with what winback does; stops at a difference."""
        out = {side: self.options.data / f"check_{side}.parquet" for side in ("winback", *sides)}
        told = []
        try:
            if self.run("winback", work, log, out["winback"]) is None:
                raise SystemExit("winback failed")
            for side in sides:
                if self.run(side, work, log, out[side]) is None:
                    told.append(f"{PEERS[side]} failed")
                    continue
                told.append(f"{PEERS[side]} {compare(out['winback'], out[side])}")
        finally:
            for path in out.values():
                path.unlink(missing_ok=True)
        return "; ".join(told)

    def measure(self, work: str, log: str, sides) -> dict:
        """Per side what its processes told, in turns."""
        told = {side: [] for side in ("winback", *sides)}
        for _ in range(self.options.repeat):
            for side, results in told.items():
                if results and results[0] is None:
                    continue
                results.append(self.run(side, work, log))
        self.runs.append({"work": work, "log": log, "told": told})
        return told


# What winback computes and the peers do not: they would need each customer's silence before they can count
# intervals, and so a pass more.
LEFT_OUT = {"own_return_log_odds_90_days"}


def compare(ours: Path, theirs: Path) -> str:
    """Column by column, so that two large tables need not fit in memory."""
    names, other = pl.read_parquet_schema(ours).names(), pl.read_parquet_schema(theirs).names()
    names = [name for name in names if name not in LEFT_OUT]
    if sorted(names) != sorted(other):
        raise SystemExit(f"columns differ: {sorted(set(names) ^ set(other))}")
    worst, at, rows = 0.0, "", 0
    for name in names:
        a = pl.read_parquet(ours, columns=[name])[name]
        b = pl.read_parquet(theirs, columns=[name])[name]
        rows = len(a)
        if len(a) != len(b):
            raise SystemExit(f"{len(a)} rows, but {len(b)}")
        if name in ("customer_id", "cutoff"):
            if not a.equals(b.cast(a.dtype)):
                raise SystemExit(f"`{name}` differs")
            continue
        a, b = a.cast(pl.Float64), b.cast(pl.Float64)
        if not a.is_null().equals(b.is_null()):
            raise SystemExit(f"`{name}`: {(a.is_null() != b.is_null()).sum()} nulls differ")
        apart, size = (a - b).abs(), pl.select(pl.max_horizontal(a.abs(), b.abs())).to_series()
        allowed = size * RELATIVE + ABSOLUTE if any(part in name for part in FLOATS) else size * 0
        if (beyond := (apart > allowed).sum()) > 0:
            row = (apart - allowed).arg_max()
            raise SystemExit(f"`{name}`: {beyond} values differ, such as {a[row]!r} and {b[row]!r} in row {row}")
        relative = (apart / size).filter(size > 1e-6).max() or 0.0
        if relative > worst:
            worst, at = relative, f" (`{name}`)"
    return f"equal in {rows:,} rows × {len(names)} columns, floats apart by {worst:.0e} at most{at}"


def median(results) -> float | None:
    seconds = [second for told in results if told for second in told["seconds"]]
    return statistics.median(seconds) if seconds else None


def shown(seconds: float | None) -> str:
    return "failed" if seconds is None else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def ratios(work: str, medians: dict, barred: bool) -> tuple[str, str]:
    """How winback stands to each peer, and whether the bars are met."""
    ours = medians["winback"]
    told, bars = [], []
    for side, name in PEERS.items():
        theirs = medians.get(side)
        if not theirs or not ours:
            continue
        direction, bar = BARS[work].get(side, (None, None))
        as_share = side == "read"
        ratio = ours / theirs if as_share else theirs / ours
        told.append(f"{ratio:.2f} × the {name}" if as_share else f"{name} takes {ratio:.1f} ×")
        if bar is not None and barred:
            met = ratio >= bar if direction == ">=" else ratio <= bar
            sign = "≥" if direction == ">=" else "≤"
            bars.append(f"{name} {sign} {bar:g}: {'met' if met else '**missed**'}")
    return ", ".join(told), ", ".join(bars)


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
        cpu += f", {memory:.0f} GiB"
    except (OSError, StopIteration):
        pass
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, cwd=HERE).stdout.split()
    lock = (HERE / "../../Cargo.lock").read_text().splitlines()
    polars = lock[lock.index('name = "polars"') + 1].split('"')[1]
    python = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "scikit-learn", "numpy", "pyarrow"))
    threads = os.environ.get("WINBACK_PEERS_THREADS", os.cpu_count())
    return (
        f"{cpu}; {threads} threads on {platform.system()}. rustc {rustc[1] if rustc else '?'} with polars {polars}; "
        f"Python {platform.python_version()} with {python}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the bench `peers`")
    parser.add_argument("--data", type=Path, required=True, help="directory of the logs")
    parser.add_argument("--name", default="orders", help="what the logs' names begin with")
    parser.add_argument("--logs", nargs="+", choices=LOGS, default=["time", "shuffled", "string"])
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--without", nargs="+", choices=PEERS, default=[], help="peers to leave out")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="the table, Markdown; raw numbers beside it, JSON")
    options = parser.parse_args()
    bench = Bench(options)

    if "scores" in options.works:
        train = [options.binary, "train", str(bench.file(options.logs[0])), "--model", str(bench.model)]
        subprocess.run([*bench.prefix, *train], check=True)

    rows, checks, memory = [], [], []
    for log in options.logs:
        bench.file(log).read_bytes()  # every side finds it in the system's cache
        columns = bench.run("own read", "", log)
        for work in options.works:
            peers = ("read",) if work == "scores" else ("duckdb", "polars", "read")
            peers = [side for side in peers if side not in options.without]
            computing = [side for side in peers if side != "read"]
            print(f"{WORKS[work]}, {LOGS[log]}", file=sys.stderr)
            if computing:
                checks.append(f"- {WORKS[work]}, {LOGS[log]}: {bench.check(work, log, computing)}")
                print(checks[-1], file=sys.stderr)
            told = bench.measure(work, log, peers)
            medians = {side: median(results) for side, results in told.items()}
            barred = log in BARRED and options.name == "orders"
            ratio, bar = ratios(work, medians, barred)
            cells = [shown(medians[side]) if side in medians else "–" for side in ("winback", *PEERS)]
            rows.append(f"| {WORKS[work]} | {LOGS[log]} | {' | '.join(cells)} | {ratio} | {bar or '–'} |")
            print(rows[-1], file=sys.stderr, flush=True)
            if work != "scores":
                last = told["winback"][-1]
                beyond = last["peak_bytes"] - last["before_bytes"] - last["frame_bytes"]
                times = beyond / columns["frame_bytes"]
                met = "met" if times <= MEMORY_BAR else "**missed**"
                verdict = f"≤ {MEMORY_BAR:g}: {met}" if barred and work == "one" else "–"
                peaks = [
                    f"{(told[side][-1]['peak_bytes'] - told[side][-1]['before_bytes']) / 2**20:,.0f}"
                    if told.get(side) and told[side][-1] else "–"
                    for side in ("winback", "duckdb", "polars")
                ]
                memory.append(
                    f"| {WORKS[work]} | {LOGS[log]} | {columns['frame_bytes'] / 2**20:,.0f} | "
                    f"{last['frame_bytes'] / 2**20:,.0f} | {' | '.join(peaks)} | {times:.1f} | {verdict} |"
                )

    orders = pl.scan_parquet(bench.file(options.logs[0])).select(pl.len(), pl.col("customer_id").n_unique()).collect()
    text = [
        f"{orders[0, 0]:,} orders of {orders[0, 1]:,} customers, Parquet in; medians of {options.repeat} processes. {machine()}",
        "",
        "| work | log | winback | DuckDB | polars | bare read | ratios | bars |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        "Peak memory in MiB, from before the work to its peak; *beyond* is winback's peak less its result, over the",
        "three columns in memory:",
        "",
        "| work | log | columns | result | winback | DuckDB | polars | beyond | bar |",
        "|---|---|---|---|---|---|---|---|---|",
        *memory,
        "",
        "Compared before they were timed:",
        "",
        *checks,
        "",
    ]
    options.out.write_text("\n".join(text))
    raw = {"machine": machine(), "repeat": options.repeat, "runs": bench.runs}
    options.out.with_suffix(".json").write_text(json.dumps(raw, indent=1))
    print("\n".join(text))


if __name__ == "__main__":
    main()
