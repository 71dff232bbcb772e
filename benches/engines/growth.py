"""How long the query that scores everybody takes as logs and workers grow, beside the crate on the same machine.

    growth.py --sql PROGRAM --score PROGRAM --model FILE --work FOLDER [options] ORDERS.parquet...

Every measurement is a process of its own, from opening the orders to a Parquet file of scores; Spark's session is
started before the clock. Seconds are those of the clock and of the processor, the latter of all processes and threads:
where the machine is shared, only they mean something. All results are compared with the crate's. A line of JSON per
measurement is added to FOLDER/growth.jsonl, and the table is printed in the end.
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

DIALECTS = {"duckdb": "duckdb", "spark": "spark", "datafusion": "datafusion"}
TOLERANCE = 1e-9


def processor_seconds():
    """Of this process and all that it started and that still run."""
    ticks, found = os.sysconf("SC_CLK_TCK"), {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            told = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended since
            continue
        found[int(path.name)] = (int(told[1]), (int(told[11]) + int(told[12])) / ticks)

    def is_own(process):
        while process in found and process != os.getpid():
            process = found[process][0]
        return process == os.getpid()

    return sum(seconds for process, (_, seconds) in found.items() if is_own(process))


def duckdb_runs(query, orders, out, workers, memory):
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {workers}; SET memory_limit = '{memory}GB'")
    connection.execute(f"SET temp_directory = '{out}.spill'; SET preserve_insertion_order = false")
    connection.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet('{orders}')")
    return lambda: connection.execute(f"COPY ({query}) TO '{out}' (FORMAT parquet)") and {}


def datafusion_runs(query, orders, out, workers, memory):
    import datafusion

    runtime = datafusion.RuntimeEnvBuilder().with_disk_manager_os().with_fair_spill_pool(memory << 30)
    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(workers), runtime)
    context.register_parquet("orders", orders)
    return lambda: context.sql(query).write_parquet(out) or {}


def spark_runs(query, orders, out, workers, memory):
    """So many workers of one core each, which share the memory."""
    from pyspark.sql import SparkSession

    each = memory * 1024 // workers
    spark = (
        SparkSession.builder.master(f"local-cluster[{workers},1,{each}]")
        .config("spark.executor.memory", f"{each}m")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.local.dir", f"{out}.spill")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.sql(f"CREATE TEMPORARY VIEW orders USING parquet OPTIONS (path '{orders}')")
    spark.range(1000).repartition(workers).count()  # the workers are there

    def run():
        spark.sql(query).write.parquet(out)
        told = spark._jsc.sc().statusStore().executorList(False)
        return {"shuffled_bytes": sum(told.apply(place).totalShuffleWrite() for place in range(told.size()))}

    return run


RUNS = {"duckdb": duckdb_runs, "spark": spark_runs, "datafusion": datafusion_runs}


def measure(engine, query, orders, out, workers, memory):
    """In a process of its own: one line of JSON."""
    if engine == "crate":
        environment = {**os.environ, "RAYON_NUM_THREADS": str(workers), "POLARS_MAX_THREADS": str(workers)}
        begin = time.monotonic()
        # What there is instead of a query: the command.
        subprocess.run([*shlex.split(query), "--orders", orders, "--out", out], check=True, env=environment, stdout=subprocess.DEVNULL)
        took, used = time.monotonic() - begin, os.times()
        return {"seconds": took, "processor_seconds": used.children_user + used.children_system}
    run = RUNS[engine](query, orders, out, workers, memory)
    before, begin = processor_seconds(), time.monotonic()
    told = run()
    return {"seconds": time.monotonic() - begin, "processor_seconds": processor_seconds() - before, **told}


def largest_difference(found, expected):
    import duckdb

    files = [f"{path}/*.parquet" if path.is_dir() else str(path) for path in (found, expected)]
    query = (
        f"""SELECT count(*), count(*) FILTER (WHERE f.churn_probability IS NULL OR e.churn_probability IS NULL),
            max(abs(f.churn_probability - e.churn_probability))
        FROM read_parquet('{files[0]}') AS f FULL JOIN read_parquet('{files[1]}') AS e USING (customer_id)"""
    )
    rows, missing, apart = duckdb.sql(query).fetchall()[0]
    return rows, missing, apart


def table(results):
    lines = ["| orders | side | workers | seconds | processor seconds |", "|---|---|---|---|---|"]
    for one in results:
        lines.append(
            f"| {one['orders'] / 1e6:.1f} M | {one['engine']} | {one['workers']} | {one['seconds']:.1f} | {one['processor_seconds']:.1f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("orders", nargs="+", type=pathlib.Path)
    parser.add_argument("--sql", required=True, type=pathlib.Path, help="the example binary of that name")
    parser.add_argument("--score", required=True, type=pathlib.Path, help="the example binary of that name")
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--engines", nargs="+", default=["crate", "duckdb", "spark"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--memory", type=int, default=10, help="GiB of an engine, all its workers together")
    options = parser.parse_args()
    import pyarrow.parquet as pq

    for name in ("sql", "score", "model", "work"):
        setattr(options, name, getattr(options, name).resolve())
    options.work.mkdir(parents=True, exist_ok=True)
    prefix, results = shlex.split(os.environ.get("WINBACK_GROWTH_PREFIX", "")), []
    for orders in map(pathlib.Path.resolve, options.orders):
        rows, expected = pq.ParquetFile(orders).metadata.num_rows, options.work / f"{orders.stem}.scores.parquet"
        for engine in options.engines:
            for workers in options.workers:
                out = expected if engine == "crate" else options.work / f"{engine}.scores.parquet"
                for path in (out, pathlib.Path(f"{out}.spill")):
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
                asked = options.work / "asked"
                if engine == "crate":
                    asked.write_text(f"{options.score} --model {options.model}")
                else:
                    of = ["--model", options.model, "--dialect", DIALECTS[engine], "--table", "orders", "--typed"]
                    asked.write_bytes(subprocess.run([options.sql, *of], check=True, capture_output=True).stdout)
                arguments = ["--measure", engine, asked, orders, out, workers, options.memory]
                ran = subprocess.run([*prefix, sys.executable, __file__, *map(str, arguments)], capture_output=True, text=True)
                if ran.returncode:
                    print(f"{engine} with {workers} failed on {orders}:\n{ran.stderr[-3000:]}", flush=True)
                    continue
                told = {"engine": engine, "workers": workers, "orders": rows, **json.loads(ran.stdout.splitlines()[-1])}
                if expected.exists():
                    told["customers"], missing, apart = largest_difference(out, expected)
                    assert missing == 0 and apart <= TOLERANCE, f"{engine}: {missing} missing, {apart} apart"
                print(json.dumps(told), flush=True)
                with open(options.work / "growth.jsonl", "a") as lines:
                    lines.write(json.dumps(told) + "\n")
                results.append(told)
                if engine != "crate":
                    shutil.rmtree(out, ignore_errors=True) if out.is_dir() else out.unlink()
                shutil.rmtree(f"{out}.spill", ignore_errors=True)
    print(table(results))


if sys.argv[1:2] == ["--measure"]:
    of_engine, query_file, *files, with_workers, within = sys.argv[2:]
    print(json.dumps(measure(of_engine, pathlib.Path(query_file).read_text(), *files, int(with_workers), int(within))), flush=True)
    os._exit(0)  # Spark's processes end with this one
main()
