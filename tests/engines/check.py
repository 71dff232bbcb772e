"""Runs every case's queries on an engine and compares with what the crate says.

    check.py FOLDER ENGINE...

FOLDER holds the cases as `cargo test --test it sql::cases -- --ignored` writes them; engines are duckdb, datafusion,
postgres and spark. Features must be equal to 1e-9, relative, scores to 1e-9, of the same customers, null where null. Spark then loses a worker in the middle of a query.
"""

import hashlib
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq

TOLERANCE = 1e-9
WHATS = ["one", "panel", "sample", "score_full", "score_full_last", "score_rhythm", "score_rhythm_last"]


def doubled(name):
    return '"' + name.replace('"', '""') + '"'


class DuckDb:
    def __init__(self):
        import duckdb

        self.connection = duckdb.connect()

    def load(self, table, path):
        self.connection.execute(f"CREATE OR REPLACE VIEW {doubled(table)} AS SELECT * FROM read_parquet('{path}')")

    def run(self, query):
        return self.connection.sql(query).to_arrow_table().to_pydict()


class DataFusion:
    def __init__(self):
        import datafusion

        self.context = datafusion.SessionContext()

    def load(self, table, path):
        self.context.sql(f"DROP TABLE IF EXISTS {doubled(table)}").collect()
        self.context.sql(f"CREATE EXTERNAL TABLE {doubled(table)} STORED AS PARQUET LOCATION '{path}'").collect()

    def run(self, query):
        return self.context.sql(query).to_arrow_table().to_pydict()


class Spark:
    def __init__(self):
        from pyspark.sql import SparkSession

        master = os.environ.get("WINBACK_SPARK", "local-cluster[2,1,1024]")
        self.spark = (
            SparkSession.builder.master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "4")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        self.spark.sparkContext.setLogLevel("ERROR")

    def load(self, table, path):
        name = "`" + table.replace("`", "``") + "`"
        self.spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW {name} USING parquet OPTIONS (path '{path}')")

    def run(self, query):
        frame = self.spark.sql(query)
        rows = frame.collect()
        return {name: [row[place] for row in rows] for place, name in enumerate(frame.columns)}

    def workers(self):
        """The processes of executors that this session started."""
        driver, found = self.spark.sparkContext._gateway.proc.pid, {}
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(path.name)] = (parent, (path / "cmdline").read_text())
            except (OSError, IndexError):  # it has ended since
                continue

        def is_own(process):
            while process in found and process != driver:
                process = found[process][0]
            return process == driver

        return [process for process, (_, line) in found.items() if "ExecutorBackend" in line and is_own(process)]

    def run_while_one_dies(self, query):
        """Kills one of the executors as soon as tasks run."""
        killed = []

        def kill():
            tracker, until = self.spark.sparkContext.statusTracker(), time.monotonic() + 60
            while time.monotonic() < until and not killed:
                stages = map(tracker.getStageInfo, tracker.getActiveStageIds())
                workers = self.workers() if any(stage and stage.numActiveTasks for stage in stages) else []
                if workers:
                    os.kill(workers[0], signal.SIGKILL)
                    killed.append(workers[0])
                time.sleep(0.005)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            return self.run(query)
        finally:
            thread.join()
            assert killed, "no executor was killed: no task ran, or all in one process"


class Postgres:
    def __init__(self):
        import psycopg

        programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="winback-postgres-"))
        self.as_postgres = []
        if os.getuid() == 0:  # the server does not run as root
            shutil.chown(self.folder, "postgres")
            self.as_postgres = ["runuser", "-u", "postgres", "--"]
        self.programs = programs
        self.call("initdb", "-D", self.folder / "data", "-U", "winback", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self.call("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")
        self.connection = psycopg.connect(host=str(self.folder), user="winback", dbname="postgres", autocommit=True)

    def call(self, program, *arguments):
        command = [*self.as_postgres, self.programs / program, *arguments]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def load(self, table, path):
        orders = pq.read_table(path)
        types = {"string": "TEXT", "large_string": "TEXT", "string_view": "TEXT", "double": "DOUBLE PRECISION"}
        columns = ", ".join(
            f"{doubled(field.name)} {types.get(str(field.type), 'DATE' if 'date' in str(field.type) else 'BIGINT')}"
            for field in orders.schema
        )
        with self.connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {doubled(table)}")
            cursor.execute(f"CREATE TABLE {doubled(table)} ({columns})")
            with cursor.copy(f"COPY {doubled(table)} FROM STDIN") as copy:
                for row in zip(*orders.to_pydict().values()):
                    copy.write_row(row)
            cursor.execute(f"ANALYZE {doubled(table)}")

    def run(self, query):
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            names = [column.name for column in cursor.description]
            rows = cursor.fetchall()
        return {name: [row[place] for row in rows] for place, name in enumerate(names)}

    def stop(self):
        self.connection.close()
        self.call("pg_ctl", "-D", self.folder / "data", "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


ENGINES = {"duckdb": DuckDb, "datafusion": DataFusion, "postgres": Postgres, "spark": Spark}


def by_key(table):
    names = list(table)
    keys = [name for name in ("customer_id", "cutoff") if name in table]
    rows = {}
    for row in zip(*table.values()):
        row = dict(zip(names, row))
        key = tuple(str(row[name])[:10] if name == "cutoff" else str(row[name]) for name in keys)
        assert key not in rows, f"{key} stands twice"
        rows[key] = row
    return rows


def differs(name, found, expected):
    if found is None or expected is None:
        return found is not expected
    found, expected = float(found), float(expected)
    scale = 1.0 if name == "churn_probability" else max(abs(expected), 1e-300)
    return not (math.isfinite(found) and abs(found - expected) <= TOLERANCE * scale)


def is_sampled(key, fraction=0.3):
    return int(hashlib.md5(("winback-sample-1:" + key[0]).encode()).hexdigest()[:8], 16) / 2**32 < fraction


def compare(found, expected, what):
    found, expected = by_key(found), by_key(expected)
    if what == "sample":
        expected = {key: row for key, row in expected.items() if is_sampled(key)}
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    problems = [f"{len(missing)} customers missing, such as {sorted(missing)[:3]}"] if missing else []
    problems += [f"{len(extra)} customers too many, such as {sorted(extra)[:3]}"] if extra else []
    for name in next(iter(expected.values())):
        if name in ("customer_id", "cutoff"):
            continue
        off = [key for key in expected.keys() & found.keys() if differs(name, found[key][name], expected[key][name])]
        if off:
            key = min(off)
            problems.append(f"{name}: {len(off)} differ, {key}: {found[key][name]!r}, expected {expected[key][name]!r}")
    return len(expected), problems


def survives(running, folder):
    """Whether a query that loses a worker is right, or says that it failed; never another table."""
    case = min(path for path in folder.iterdir() if path.is_dir())
    running.load((case / "table").read_text(), case / "orders.parquet")
    query = (case / "panel.spark.sql").read_text()
    try:
        found = running.run_while_one_dies(query)
    except AssertionError:
        raise
    except Exception as error:
        print(f"spark      {case.name:<14} a worker killed     error: {type(error).__name__}", flush=True)
        return True
    rows, problems = compare(found, pq.read_table(case / "panel.parquet").to_pydict(), "panel")
    print(f"spark      {case.name:<14} a worker killed    {'DIFFERS' if problems else 'equal'}, {rows} rows", flush=True)
    for problem in problems:
        print("    " + problem)
    return not problems


def main():
    folder, engines = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or list(ENGINES)
    failed = False
    for engine in engines:
        begin = time.monotonic()
        running = ENGINES[engine]()
        for case in sorted(path for path in folder.iterdir() if path.is_dir()):
            running.load((case / "table").read_text(), case / "orders.parquet")
            for what in WHATS:
                expected = pq.read_table(case / ("panel.parquet" if what == "sample" else f"{what}.parquet")).to_pydict()
                try:
                    rows, problems = compare(running.run((case / f"{what}.{engine}.sql").read_text()), expected, what)
                except Exception as error:  # an engine's refusal is a finding like any other
                    rows, problems = 0, [f"{type(error).__name__}: {str(error)[:1500]}"]
                print(f"{engine:<10} {case.name:<14} {what:<18} {'DIFFERS' if problems else 'equal'}, {rows} rows", flush=True)
                for problem in problems:
                    print("    " + problem)
                failed |= bool(problems)
        if hasattr(running, "run_while_one_dies"):
            failed |= not survives(running, folder)
        if hasattr(running, "stop"):
            running.stop()
        print(f"{engine}: {time.monotonic() - begin:.0f} s", flush=True)
    sys.exit(failed)


main()
