"""A server for each test, on any free port, stopped when the test ends."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "3",
}


def binary():
    named = os.environ.get("BROOKLET") or os.environ.get("BROOKLET_BIN")
    return named or str(ROOT / "target" / "debug" / "brooklet")


class Server:
    """`brooklet serve` as a process; `at` is what clients call bootstrap server."""

    def __init__(self, directory=None, settings=None):
        command = [binary(), "serve", "--listen", "127.0.0.1:0"]
        command += ["--data", str(directory)] if directory else ["--memory"]
        for key, value in {**SETTINGS, **(settings or {})}.items():
            command += ["--override", f"{key}={value}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), f"the server did not start: {line!r}"
        self.at = line.removeprefix("ready ").strip()

    def stop(self):
        """SIGTERM; gives the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        finally:
            self.kill()

    def kill(self):
        """SIGKILL; nothing is left of it."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server():
    started = Server()
    yield started
    started.kill()


@pytest.fixture
def serve():
    """Starts servers; whatever the test leaves running is killed."""
    started = []

    def start(directory=None, settings=None):
        started.append(Server(directory, settings))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def python_child():
    """Runs Python code in processes of their own, which can be killed."""
    children = []

    def run(code, *words):
        child = subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()
