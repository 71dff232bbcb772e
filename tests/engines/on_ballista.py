"""Ballista as check.py runs it: a scheduler and two executors, all processes of their own on loopback."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pyarrow.parquet as pq


class Ballista:
    """A scheduler and two executors as processes of their own; WINBACK_BALLISTA names the program."""

    dialect = "datafusion"

    def __init__(self):
        self.program = os.environ["WINBACK_BALLISTA"]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="winback-ballista-"))
        self.scheduler, *ports = map(str, free_ports(5))
        self.processes = [self.start("scheduler", self.scheduler)]
        wait_for(int(self.scheduler))
        for place in (0, 1):
            own = self.folder / f"executor-{place}"
            own.mkdir()
            self.processes.append(self.start("executor", self.scheduler, *ports[2 * place : 2 * place + 2], own))
        for port in ports[::2]:
            wait_for(int(port))

    def start(self, *arguments):
        with open(self.folder / f"log-{len(list(self.folder.glob('log-*')))}", "w") as log:
            return subprocess.Popen([self.program, *map(str, arguments)], stdout=log, stderr=log)

    def load(self, table, path):
        (self.folder / "table").write_text(table)
        self.orders = path

    def write(self, query, path):
        (self.folder / "query.sql").write_text(query)
        query_of = [self.folder / "table", self.orders, self.folder / "query.sql", path]
        asked = [self.program, "query", self.scheduler, *map(str, query_of)]
        told = subprocess.run(asked, timeout=900, capture_output=True, text=True)
        if told.returncode:
            raise RuntimeError(told.stderr)

    def run(self, query):
        result = self.folder / "result.parquet"
        self.write(query, result)
        return pq.read_table(result).to_pydict()

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(port, seconds=60):
    until = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
