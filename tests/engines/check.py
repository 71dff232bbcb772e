"""Runs every case's queries on an engine and compares with what the crate says.

    check.py FOLDER ENGINE...

FOLDER holds the cases as `cargo test --test it engines::cases -- --ignored` writes them; engines are duckdb, datafusion,
postgres, spark and ballista. Features must be equal to 1e-9, relative, scores to 1e-9, of the same customers, null where
null. On the bundled log the whole loop follows: the engine computes the panel that the program `sql` asks for and writes it
as Parquet, the crate fits on that, and the engine scores everybody. Spark then loses a worker in the middle of a query.

WINBACK_SQL names the program `sql`, WINBACK_IT the test binary; without them the loop is left out, and said so.
"""

import hashlib
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq

from on_ballista import Ballista

TOLERANCE = 1e-9
GUIDE = pathlib.Path(__file__).resolve().parents[2] / "src/guide/beyond_one_machine.md"
WHATS = ["one", "panel", "sample", "score_full", "score_full_last", "score_rhythm", "score_rhythm_last"]
# Where queries take long, each kind of query and each kind of log come once, but not every pair of them.
FEW = {
    "bundled": ["score_full_last"],
    "nasty": ["one", "panel", "sample", "score_full", "score_rhythm_last"],
    "nasty_dropped": ["panel"],
    "typed": ["panel"],
    "typed_days": ["sample"],
    "cdnow": [],
}
FEWEST = {"bundled": [], "nasty": ["one", "panel", "score_full_last", "score_rhythm"], "typed": ["panel"]}


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

    def stop(self):
        self.connection.close()

    def write(self, query, path):
        self.connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


class DataFusion:
    def __init__(self):
        import datafusion

        self.context = datafusion.SessionContext()

    def load(self, table, path):
        self.context.sql(f"DROP TABLE IF EXISTS {doubled(table)}").collect()
        self.context.sql(f"CREATE EXTERNAL TABLE {doubled(table)} STORED AS PARQUET LOCATION '{path}'").collect()

    def run(self, query):
        return self.context.sql(query).to_arrow_table().to_pydict()

    def stop(self):
        pass

    def write(self, query, path):
        self.context.sql(query).write_parquet(str(path))


class Spark:
    def __init__(self):
        from pyspark.sql import SparkSession

        master = os.environ.get("WINBACK_SPARK", "local-cluster[2,1,1024]")
        self.spark = (
            SparkSession.builder.master(master)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
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

    def write(self, query, path):
        self.spark.sql(query).write.parquet(str(path))

    def stop(self):
        self.spark.stop()

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
        # Its own user must get there, and the socket's path be short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="winback-postgres-", dir="/tmp"))
        self.as_postgres = []
        if os.getuid() == 0:  # the server does not run as root
            shutil.chown(self.folder, "postgres")
            self.as_postgres = ["runuser", "-u", "postgres", "--"]
        self.programs = programs
        self.call("initdb", "-D", self.folder / "data", "-U", "winback", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self.call("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")
        self.connection = psycopg.connect(host=str(self.folder), user="winback", dbname="postgres", autocommit=True)
        # It takes parts of a query to be small, and would then look through them once per row.
        self.connection.execute("SET enable_nestloop = off")

    def call(self, program, *arguments):
        command = [*self.as_postgres, self.programs / program, *arguments]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, cwd="/")

    def load(self, table, path):
        orders = pq.read_table(path)
        types = {"string": "TEXT", "large_string": "TEXT", "string_view": "TEXT", "double": "DOUBLE PRECISION"}
        types |= {"date32[day]": "DATE", "timestamp[us]": "TIMESTAMP", "int64": "BIGINT", "int32": "INTEGER"}
        columns = ", ".join(
            f"{doubled(field.name)} {types[str(field.type)]}"
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

    def write(self, query, path):
        pq.write_table(pa.table(self.run(query)), path)

    def stop(self):
        self.connection.close()
        self.call("pg_ctl", "-D", self.folder / "data", "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)


ENGINES = {"duckdb": DuckDb, "datafusion": DataFusion, "postgres": Postgres, "spark": Spark, "ballista": Ballista}


def cases_of(folder):
    return sorted(path.parent for path in folder.glob("*/table"))


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
    case = cases_of(folder)[0]
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


def loop(running, engine, case):
    """Panel, fit and scores, as in the guide: only queries go to the engine, only the panel comes back."""
    dialect = getattr(running, "dialect", engine)
    table = (case / "table").read_text()
    columns = ["--date-col", "timestamp", "--amount-col", "amount", "--segment-col", "country"]

    def query(*options):
        asked = [os.environ["WINBACK_SQL"], "--dialect", dialect, "--table", table, *columns, *options]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

    # The guide is for Spark, and so are its steps: they are taken as they are written there.
    steps = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL) if engine == "spark" else []
    names = {}
    cutoffs = "2011-05-01,2011-07-15,2011-09-01"
    panel = ["--panel", "--horizon-days", "60", "--cutoffs", cutoffs, "--sample-fraction", "0.6"]
    if steps:
        pathlib.Path("panel.sql").write_text(query(*panel))
        exec(steps[0], names)
        pathlib.Path("panel").rename(case / f"loop.{engine}.panel")
    else:
        running.write(query(*panel), case / f"loop.{engine}.panel")
    environment = {**os.environ, "WINBACK_ENGINES": str(case.parent), "WINBACK_ENGINE": engine}
    fit = [os.environ["WINBACK_IT"], "engines::fits", "--exact", "--ignored"]
    fitted = subprocess.run(fit, env=environment, capture_output=True, text=True)
    if fitted.returncode or "1 passed" not in fitted.stdout:
        return 0, ["the crate does not take the panel:" + fitted.stdout[-2000:] + fitted.stderr[-2000:]]
    scores = query("--model", str(case / f"loop.{engine}.json"), "--as-of", "2011-11-30")
    expected = pq.read_table(case / f"loop.{engine}.scores.parquet").to_pydict()
    if not steps:
        return compare(running.run(scores), expected, "loop")
    pathlib.Path("score.sql").write_text(scores)
    exec(steps[1], names)
    found = pq.read_table("scores").to_pydict()
    shutil.rmtree("scores")
    return compare(found, expected, "loop")


def checked(running, engine, case, what):
    """How many rows, and what is wrong with them."""
    if what == "loop":
        return loop(running, engine, case)
    says = case / ("panel.parquet" if what == "sample" else f"{what}.parquet")
    query = (case / f"{what}.{getattr(running, 'dialect', engine)}.sql").read_text()
    return compare(running.run(query), pq.read_table(says).to_pydict(), what)


def is_equal_on(engine, running, folder, has_programs):
    chosen = {} if "WINBACK_ENGINES_ALL" in os.environ else {"postgres": FEW, "spark": FEWEST, "ballista": FEWEST}
    is_equal = True
    for case in cases_of(folder):
        whats = chosen[engine].get(case.name, []) if engine in chosen else WHATS
        if case.name == "bundled" and has_programs:
            whats = [*whats, "loop"]
        if whats:
            running.load((case / "table").read_text(), case / "orders.parquet")
        for what in whats:
            since = time.monotonic()
            try:
                rows, problems = checked(running, engine, case, what)
            except Exception as error:  # an engine's refusal is a finding like any other
                rows, problems = 0, [f"{type(error).__name__}: {str(error)[:600]}"]
            verdict, seconds = "DIFFERS" if problems else "equal", time.monotonic() - since
            print(f"{engine:<10} {case.name:<14} {what:<18} {verdict}, {rows} rows, {seconds:.1f} s", flush=True)
            for problem in problems:
                print("    " + problem)
            is_equal &= not problems
    if hasattr(running, "run_while_one_dies"):
        is_equal &= survives(running, folder)
    return is_equal


def main():
    folder, engines = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or ["duckdb", "datafusion", "postgres", "spark"]
    os.chdir(folder)  # engines write here what is named without a folder
    has_programs = "WINBACK_SQL" in os.environ and "WINBACK_IT" in os.environ
    if not has_programs:
        print("the loop is left out: WINBACK_SQL and WINBACK_IT are not set")
    is_equal = True
    for engine in engines:
        begin = time.monotonic()
        running = ENGINES[engine]()
        try:
            is_equal &= is_equal_on(engine, running, folder, has_programs)
        finally:
            running.stop()
        print(f"{engine}: {time.monotonic() - begin:.0f} s", flush=True)
    sys.exit(not is_equal)


main()
