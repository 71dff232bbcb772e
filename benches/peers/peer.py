"""The peers' side: one piece of work per run, timed inside, told as a line of JSON.

Every query computes what `FeatureSet::standard(90, &[])` but the own return does on a log with amounts and
without discounts and segments: orders of a day are merged, a day with refunds is a purchase only where something
is left, windows are half open, undefined is null.
"""

import argparse
import json
import os
import sys
import time
from datetime import date, timedelta

THREADS = int(os.environ.get("WINBACK_PEERS_THREADS", os.cpu_count()))
os.environ["POLARS_MAX_THREADS"] = str(THREADS)

H = 90
COUNT_WINDOWS = (H // 2, H, 2 * H, 4 * H)
SPEND_WINDOWS = (H, 2 * H)

# --------------------------------------------------------------------------------------------- DuckDB

DAYS = """
    SELECT customer_id, ordered_on AS day, sum(amount) AS net,
           sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS refunded
    FROM read_parquet('{file}') WHERE ordered_on <= DATE '{until}'
    GROUP BY customer_id, ordered_on"""

JUDGED = "SELECT *, refunded = 0 OR net > 1e-9 * (net + 2 * refunded) AS bought FROM days"

PURCHASES = """
    SELECT customer_id, day, net, refunded,
           day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS interval
    FROM judged WHERE bought"""


def per_customer(cutoff: str, purchases: str) -> str:
    """One aggregate per customer. `count_if` and CASE are a little quicker than FILTER here."""
    c = f"DATE '{cutoff}'"
    counts = ", ".join(f"count_if(day > {c} - {w}) AS n{w}" for w in COUNT_WINDOWS)
    spends = ", ".join(f"sum(CASE WHEN day > {c} - {w} THEN net ELSE 0 END) AS s{w}" for w in SPEND_WINDOWS)
    return f"""
    SELECT customer_id, {c} AS c, max(day) AS last, min(day) AS first, count(*) AS n,
           stddev_samp(interval) AS interval_sd, max(interval) AS interval_max,
           arg_max(interval, day) AS interval_last, {counts}, {spends},
           sum(net) AS net, sum(refunded) AS refunded, arg_max(net, day) AS amount_last
    FROM {purchases} WHERE day <= {c} GROUP BY customer_id"""


def features_sql(keys: str, with_cutoff: bool) -> str:
    counts = ", ".join(f"n{w} AS purchases_last_{w}_days" for w in COUNT_WINDOWS)
    spends = ", ".join(f"s{w} AS spend_amount_last_{w}_days" for w in SPEND_WINDOWS)
    return f"""
    SELECT customer_id, {'c AS cutoff,' if with_cutoff else ''}
           c - last AS days_since_last, c - first AS tenure_days, n AS n_purchases,
           (last - first + {H}) / n AS interval_shrunk_to_{H}_days,
           (c - last) / ((last - first + {H}) / n) AS overdue_ratio_{H}_days,
           n / (c - first + {H}) AS purchases_per_day_shrunk_{H}_days,
           interval_sd AS interval_sd_days, interval_max AS interval_max_days, interval_last AS interval_last_days,
           (c - last) / greatest(c - first, 1) AS silence_fraction,
           {counts}, net / n AS amount_mean, amount_last, {spends},
           CASE WHEN net + refunded > 0
                THEN least(1, (refunded + coalesce(returned, 0)) / (net + refunded)) END AS refund_fraction,
           (n = 1)::INT AS is_single_purchase, (c - last > interval_max)::INT AS is_silent_beyond_longest
    FROM per LEFT JOIN returns USING ({keys}) ORDER BY {keys}"""


def duckdb_connection():
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {THREADS}")
    return connection


def duckdb_features(file: str, cutoffs: list[str]):
    """The quickest of the ways that README.md beside this file lists."""
    connection = duckdb_connection()
    days = DAYS.format(file=file, until=max(cutoffs))
    if len(cutoffs) == 1:
        return connection.sql(f"""
            WITH days AS ({days}), judged AS ({JUDGED}), purchases AS ({PURCHASES}),
            returns AS (SELECT customer_id, sum(greatest(-net, 0)) AS returned
                        FROM judged WHERE NOT bought GROUP BY customer_id),
            per AS ({per_customer(cutoffs[0], 'purchases')})
            {features_sql('customer_id', with_cutoff=False)}""").to_arrow_table()
    connection.execute(f"CREATE TEMP TABLE judged AS WITH days AS ({days}) {JUDGED}")
    connection.execute(f"CREATE TEMP TABLE purchases AS {PURCHASES}")
    values = ", ".join(f"(DATE '{cutoff}')" for cutoff in cutoffs)
    per = " UNION ALL ".join(per_customer(cutoff, "purchases") for cutoff in cutoffs)
    return connection.sql(f"""
        WITH cutoffs(c) AS (VALUES {values}),
        returns AS (SELECT customer_id, c, sum(greatest(-net, 0)) AS returned
                    FROM judged JOIN cutoffs ON day <= c WHERE NOT bought GROUP BY customer_id, c),
        per AS ({per})
        {features_sql('customer_id, c', with_cutoff=True)}""").to_arrow_table()


# --------------------------------------------------------------------------------------------- polars


def polars_judged(pl, file: str, until: date):
    net, refunded = pl.col("net"), pl.col("refunded")
    return (
        pl.scan_parquet(file)
        .filter(pl.col("ordered_on") <= until)
        .group_by("customer_id", day=pl.col("ordered_on"))
        .agg(net=pl.col("amount").sum(), refunded=-pl.col("amount").clip(upper_bound=0).sum())
        .with_columns(bought=(refunded == 0) | (net > 1e-9 * (net + 2 * refunded)))
    )


def polars_purchases(pl, judged):
    id, day = pl.col("customer_id"), pl.col("day")
    interval = pl.when(id == id.shift(1)).then((day - day.shift(1)).dt.total_days())
    return judged.filter("bought").sort("customer_id", "day").with_columns(interval=interval)


def polars_features_at(pl, judged, purchases, cutoff: date):
    day, net = pl.col("day"), pl.col("net")

    def lately(days: int):
        return day > cutoff - timedelta(days)

    returns = (
        judged.filter(~pl.col("bought"), day <= cutoff)
        .group_by("customer_id")
        .agg(returned=(-net).clip(lower_bound=0).sum())
    )
    per = (
        purchases.filter(day <= cutoff)
        .group_by("customer_id", maintain_order=True)
        .agg(
            last=day.last(),
            first=day.first(),
            n=pl.len(),
            interval_sd_days=pl.col("interval").std(),
            interval_max_days=pl.col("interval").max(),
            interval_last_days=pl.col("interval").last(),
            **{f"purchases_last_{w}_days": lately(w).sum() for w in COUNT_WINDOWS},
            **{f"spend_amount_last_{w}_days": (net * lately(w)).sum() for w in SPEND_WINDOWS},
            net=net.sum(),
            refunded=pl.col("refunded").sum(),
            amount_last=net.last(),
        )
        .join(returns, on="customer_id", how="left", maintain_order="left")
    )
    n = pl.col("n")
    since = (pl.lit(cutoff) - pl.col("last")).dt.total_days()
    tenure = (pl.lit(cutoff) - pl.col("first")).dt.total_days()
    shrunk = ((pl.col("last") - pl.col("first")).dt.total_days() + H) / n
    bought = pl.col("net") + pl.col("refunded")
    returned = (pl.col("refunded") + pl.col("returned").fill_null(0)) / bought
    return per.select(
        "customer_id",
        days_since_last=since,
        tenure_days=tenure,
        n_purchases=n,
        **{f"interval_shrunk_to_{H}_days": shrunk},
        **{f"overdue_ratio_{H}_days": since / shrunk},
        **{f"purchases_per_day_shrunk_{H}_days": n / (tenure + H)},
        interval_sd_days="interval_sd_days",
        interval_max_days="interval_max_days",
        interval_last_days="interval_last_days",
        silence_fraction=since / tenure.clip(lower_bound=1),
        **{name: name for name in (f"purchases_last_{w}_days" for w in COUNT_WINDOWS)},
        amount_mean=pl.col("net") / n,
        amount_last="amount_last",
        **{name: name for name in (f"spend_amount_last_{w}_days" for w in SPEND_WINDOWS)},
        refund_fraction=pl.when(bought > 0).then(pl.min_horizontal(pl.lit(1.0), returned)),
        is_single_purchase=n == 1,
        is_silent_beyond_longest=since > pl.col("interval_max_days"),
    )


def polars_features(file: str, cutoffs: list[str]):
    """The streaming engine; the in-memory one takes a quarter longer."""
    import polars as pl

    days = [date.fromisoformat(cutoff) for cutoff in cutoffs]
    judged = polars_judged(pl, file, max(days))
    if len(days) == 1:
        purchases = polars_purchases(pl, judged)
        return polars_features_at(pl, judged, purchases, days[0]).collect(engine="streaming")
    judged = judged.collect(engine="streaming").lazy()
    purchases = polars_purchases(pl, judged).collect(engine="streaming").lazy()
    parts = []
    for day in days:
        part = polars_features_at(pl, judged, purchases, day).collect(engine="streaming")
        parts.append(part.select("customer_id", pl.lit(day).alias("cutoff"), pl.exclude("customer_id")))
    return pl.concat(parts).sort("customer_id", "cutoff")


def polars_read(file: str, _cutoffs: list[str]):
    import polars as pl

    return pl.read_parquet(file, columns=["customer_id", "ordered_on", "amount"])


WORKS = {"duckdb": duckdb_features, "polars": polars_features, "read": polars_read}


def status_bytes(name: str) -> int:
    with open("/proc/self/status") as status:
        return next((1024 * int(line.split()[1]) for line in status if line.startswith(f"{name}:")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("file")
    parser.add_argument("--cutoffs", default="", help="YYYY-MM-DD, separated by commas")
    parser.add_argument("--out", help="where to write the result, after the timing; Parquet")
    options = parser.parse_args()
    # What it takes to load the libraries is nobody's work.
    __import__("duckdb" if options.work == "duckdb" else "polars")
    cutoffs = [cutoff for cutoff in options.cutoffs.split(",") if cutoff]
    before = status_bytes("VmRSS")
    begin = time.perf_counter()
    result = WORKS[options.work](options.file, cutoffs)
    seconds = time.perf_counter() - begin
    rows, size = (result.height, result.estimated_size()) if hasattr(result, "height") else (result.num_rows, result.nbytes)
    print(json.dumps({
        "seconds": [seconds], "before_bytes": before, "peak_bytes": status_bytes("VmHWM"), "rows": rows, "frame_bytes": size,
    }))
    if options.out:
        if hasattr(result, "write_parquet"):
            result.write_parquet(options.out)
        else:
            import pyarrow.parquet as pq

            pq.write_table(result, options.out)


if __name__ == "__main__":
    sys.exit(main())
