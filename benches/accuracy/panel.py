"""Purchases, features and labels at a cutoff: the definitions of both peers and test.

A purchase is a customer's orders of one day merged. Known at a cutoff c: every order on or before c.
Churned: no purchase in (c, c + H]. Recent: bought in (c - H, c].
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

MOST_TRAINING_CUTOFFS = 8


@dataclass(frozen=True)
class Task:
    """A log, a horizon, and the cutoffs to test at."""

    name: str
    file: str
    date: str
    horizon: int
    # Days between the cutoffs tested, and how many are tested before the last one.
    step: int
    earlier: int
    refunds: str = "net"

    def test_cutoffs(self, log: "Log") -> list[int]:
        """Back from the last one whose label the log shows; ascending."""
        last = log.until_day - self.horizon
        return [last - back * self.step for back in range(self.earlier, -1, -1)]


# Half a horizon between cutoffs, but where the log is too short for four earlier ones.
TASKS = [
    Task("CDNOW full, 90", "cdnow_full.parquet", "date", 90, 45, 6),
    Task("CDNOW full, 180", "cdnow_full.parquet", "date", 180, 20, 4),
    Task("Online Retail, 60", "online_retail_orders.csv", "timestamp", 60, 30, 6, "drop"),
    Task("Complete Journey half, 30", "completejourney_orders_half.parquet", "timestamp", 30, 15, 8),
]


class Log:
    """Purchases of all customers, by customer and day; days count from 1970."""

    def __init__(self, customer: np.ndarray, day: np.ndarray, amount: np.ndarray | None):
        order = np.lexsort((day, customer))
        self.ids, self.customer = np.unique(customer[order], return_inverse=True)
        self.day = day[order].astype(np.int64)
        self.amount = None if amount is None else amount[order].astype(float)
        self.first_of = np.searchsorted(self.customer, np.arange(self.customer[-1] + 1))
        self.key = self.customer * 100_000 + self.day
        same = np.r_[False, self.customer[1:] == self.customer[:-1]]
        self.interval = np.where(same, np.r_[0, np.diff(self.day)], 0)
        squares = np.cumsum(self.interval.astype(float) ** 2)
        self.interval_squares = np.r_[0.0, squares]
        # The longest interval so far: intervals stay below the gap between customers.
        lifted = self.interval + self.customer * 100_000
        self.interval_max = np.maximum.accumulate(lifted) - self.customer * 100_000
        self.spend = None if amount is None else np.r_[0.0, np.cumsum(self.amount)]
        self.from_day, self.until_day = int(self.day.min()), int(self.day.max())
        assert len(self.day) == len(np.unique(self.key)), "a day is one purchase"

    @classmethod
    def read(cls, path: Path, date: str, refunds: str) -> "Log":
        orders = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(
            path, schema_overrides={"order_id": pl.String})
        if orders.schema[date] == pl.String:
            orders = orders.with_columns(pl.col(date).str.slice(0, 10).str.to_date())
        orders = orders.with_columns(day=pl.col(date).cast(pl.Date).cast(pl.Int32))
        if refunds == "drop":
            orders = orders.filter(pl.col("amount") >= 0)
        days = orders.group_by("customer_id", "day").agg(pl.col("amount").sort().sum())
        return cls(days["customer_id"].to_numpy(), days["day"].to_numpy(), days["amount"].to_numpy())

    def known_at(self, day: int) -> "Log":
        """Only what was known at the end of that day; ids stay, numbers may change."""
        keep = self.day <= day
        amount = None if self.amount is None else self.amount[keep]
        return Log(self.ids[self.customer[keep]], self.day[keep], amount)


@dataclass
class Snapshot:
    """One row per customer who had bought by the cutoff."""

    cutoff: int
    customer: np.ndarray
    x: dict[str, np.ndarray]
    churned: np.ndarray
    recent: np.ndarray


def snapshot(log: Log, cutoff: int, horizon: int) -> Snapshot:
    """Features, label and `recent` at a cutoff; x holds raw values, NaN where undefined."""
    everyone = np.arange(len(log.first_of))
    up_to = lambda day: np.searchsorted(log.key, everyone * 100_000 + day, side="right")
    end = up_to(cutoff)
    bought = end > log.first_of
    customer, end, first = everyone[bought], end[bought], log.first_of[bought]
    last = end - 1
    n = (end - first).astype(float)
    count_in = lambda days: end - np.maximum(up_to(cutoff - days)[bought], first)
    r = (cutoff - log.day[last]).astype(float)
    t = (cutoff - log.day[first]).astype(float)
    g = (t - r + horizon) / n
    intervals = n - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = log.interval_squares[end] - log.interval_squares[first + 1]
        variance = (squares - (t - r) ** 2 / intervals) / (intervals - 1)
        sd = np.where(n >= 3, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    interval_max = np.where(n >= 2, log.interval_max[last], np.nan)
    x = {"r": r, "T": t, "n": n, "g": g, "o": r / g, "rate": n / (t + horizon)}
    x |= {"sd": sd, "max": interval_max, "last": np.where(n >= 2, log.interval[last], np.nan)}
    for name, days in windows(horizon).items():
        x[f"n_{name}"] = count_in(days).astype(float)
    if log.amount is not None:
        start = log.spend[first]
        x |= {"mean_amount": (log.spend[end] - start) / n, "last_amount": log.amount[last]}
        for name in ("H", "2H"):
            spend = log.spend[end] - log.spend[end - count_in(windows(horizon)[name])]
            x[f"spend_{name}"] = np.where(x[f"n_{name}"] > 0, np.maximum(spend, 0.0), 0.0)
    x |= {"is_1": (n == 1) * 1.0, "is_2": (n == 2) * 1.0, "beyond_max": (r > interval_max) * 1.0}
    x["r/T"] = r / np.maximum(t, 1.0)
    later = up_to(cutoff + horizon)[bought]
    return Snapshot(cutoff, customer, x, later == end, r < horizon)


def windows(horizon: int) -> dict[str, int]:
    return {"H/2": max(horizon // 2, 1), "H": horizon, "2H": 2 * horizon, "4H": 4 * horizon}


def training_cutoffs(log: Log, test: int, horizon: int) -> list[int]:
    """At most eight, half a horizon apart, the newest label ending at the test cutoff; ascending.

    None before one horizon after the log's first day or, where that leaves none, half a horizon.
    """
    step = max(horizon // 2, 1)
    days = [test - horizon - back * step for back in range(MOST_TRAINING_CUTOFFS)]
    settled = [day for day in days if day >= log.from_day + horizon]
    return sorted(settled or [day for day in days if day >= log.from_day + step])


def winback_first_cutoff(log: Log, test: int, horizon: int) -> int:
    """Where `evaluate` begins: two horizons into the log; below three training cutoffs one horizon;
    below two of them half of one."""
    step = max(horizon // 2, 1)
    for start, least in ((2 * horizon, 3), (horizon, 2)):
        if (test - horizon - log.from_day - start) // step + 1 >= least:
            return log.from_day + start
    return log.from_day + step


LOGGED = ["r", "T", "n", "g", "o", "mean_amount", "last_amount", "sd", "max", "last",
          "n_H/2", "n_H", "n_2H", "n_4H", "spend_H", "spend_2H"]
PLAIN = ["is_1", "is_2", "beyond_max", "r/T"]
PRODUCTS = [("r", "n"), ("r", "T"), ("T", "n"), ("o", "n"), ("r", "r"), ("T", "T"), ("n", "n"), ("o", "o")]


def engineered(x: dict[str, np.ndarray]) -> np.ndarray:
    """The engineered matrix: logged values, flags, products of logged values. Undefined is 0."""
    logged = {name: np.log1p(x[name]) for name in LOGGED if name in x}
    columns = dict(logged) | {"rate": np.log(x["rate"])} | {name: x[name] for name in PLAIN}
    columns |= {f"{a} x {b}": logged[a] * logged[b] for a, b in PRODUCTS}
    return np.nan_to_num(np.column_stack(list(columns.values())))


def raw_rfm(x: dict[str, np.ndarray]) -> np.ndarray:
    """Recency, frequency and mean amount, as they are."""
    return np.column_stack([x[name] for name in ("r", "n", "mean_amount") if name in x])
