"""A seeded log of orders, the same on every machine with the pinned numpy.

Customers start at any time in two years, buy at rates that are gamma distributed, and leave after an
exponential time of their own. About 3 % of the orders share customer and day with another one; about
2 % of the rows are refunds, most of them of the whole amount, on the day itself or some days later.
Ids say nothing about customers, and rows of one day come in no order.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 1
DAYS = 730
FIRST_DAY = 19_358  # 2023-01-01
LAST_START = 640
SAME_DAY_FRACTION = 0.03
REFUND_FRACTION = 0.02
WHOLE_REFUND_FRACTION = 0.7
SAME_DAY_REFUND_FRACTION = 0.3
RATE_SHAPE = 0.9
# Orders per day of an average customer; it brings about 12.3 rows per customer.
RATE_MEAN = 0.0381
LIFETIME_MEAN_DAYS = 600.0
ROW_GROUP_ROWS = 1_000_000
SORTINGS = ("time", "shuffled", "customer", "string")


def orders(customers: int, seed: int):
    """Ids, days and amounts, in random order."""
    random = np.random.default_rng(seed)
    ids = 1 + random.permutation(customers + customers // 5)[:customers]
    start = random.integers(0, LAST_START, customers)
    rate = random.gamma(RATE_SHAPE, RATE_MEAN / RATE_SHAPE, customers)
    lifetime = random.exponential(LIFETIME_MEAN_DAYS, customers)
    seen = np.minimum(lifetime, DAYS - 1 - start)
    taste = random.normal(3.2, 0.6, customers)
    n_orders = 1 + random.poisson(rate * seen)

    owner = np.repeat(np.arange(customers), n_orders)
    day = start[owner] + np.floor(random.random(len(owner), dtype=np.float32) * (seen[owner] + 1)).astype(np.int64)
    first = np.cumsum(n_orders) - n_orders
    day[first] = start
    twice = random.random(len(owner), dtype=np.float32) < SAME_DAY_FRACTION
    owner, day = np.concatenate([owner, owner[twice]]), np.concatenate([day, day[twice]])
    cents = np.maximum(1, np.round(100 * np.exp(taste[owner] + random.normal(0, 0.5, len(owner))))).astype(np.int64)

    sent_back = np.flatnonzero(random.random(len(owner), dtype=np.float32) < REFUND_FRACTION)
    whole = random.random(len(sent_back)) < WHOLE_REFUND_FRACTION
    part = np.where(whole, 1.0, random.random(len(sent_back)))
    later = np.where(random.random(len(sent_back)) < SAME_DAY_REFUND_FRACTION, 0, random.geometric(0.1, len(sent_back)))
    refund_day = day[sent_back] + later
    refund_cents = -np.maximum(1, np.round(cents[sent_back] * part)).astype(np.int64)
    in_log = refund_day < DAYS
    owner = np.concatenate([owner, owner[sent_back[in_log]]])
    day = np.concatenate([day, refund_day[in_log]])
    cents = np.concatenate([cents, refund_cents[in_log]])

    order = random.permutation(len(owner))
    return ids[owner[order]], (FIRST_DAY + day[order]).astype(np.int32), cents[order] / 100.0


def write(path: Path, ids, days, amounts, order) -> None:
    """Parquet, zstd, row groups of a million rows; whole or not at all."""
    as_text = path.stem.endswith("string")
    schema = pa.schema([
        ("customer_id", pa.string() if as_text else pa.int64()),
        ("ordered_on", pa.date32()),
        ("amount", pa.float64()),
    ])
    temporary = path.with_suffix(".tmp")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for begin in range(0, len(ids), ROW_GROUP_ROWS):
            rows = order[begin : begin + ROW_GROUP_ROWS]
            customer = pa.array([f"C{one:07d}" for one in ids[rows].tolist()]) if as_text else pa.array(ids[rows])
            batch = [customer, pa.array(days[rows]).cast(pa.date32()), pa.array(amounts[rows])]
            writer.write_table(pa.Table.from_arrays(batch, schema=schema), row_group_size=ROW_GROUP_ROWS)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, required=True, help="directory")
    parser.add_argument("--name", default="orders")
    parser.add_argument("--sortings", nargs="+", choices=SORTINGS, default=SORTINGS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = {sorting: options.out / f"{options.name}_{sorting}.parquet" for sorting in options.sortings}
    missing = {sorting: path for sorting, path in wanted.items() if not path.exists()}
    if not missing:
        return
    ids, days, amounts = orders(options.customers, options.seed)
    for sorting, path in missing.items():
        if sorting == "shuffled":
            order = np.arange(len(ids), dtype=np.uint32)
        elif sorting == "customer":
            order = np.lexsort((days, ids))
        else:
            order = np.argsort((days - FIRST_DAY).astype(np.int16), kind="stable")
        write(path, ids, days, amounts, order)
        refunds = (amounts < 0).mean()
        print(f"{path}: {len(ids):,} orders, {options.customers:,} customers, {refunds:.1%} refunds")


if __name__ == "__main__":
    main()
