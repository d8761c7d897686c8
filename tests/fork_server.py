"""Start the command line at once: in processes forked from one that has imported everything already.

What runs is a process of its own, with its own standard streams, signals and exit code, as ``python -m vocalsep`` would
be; only the seconds for which Python imports torch are saved. As a script this file is the process that forks, or what
pytest-xdist starts in place of Python, so that the processes that run tests are forked too.

All processes of a run of the tests share one: whoever calls `start` first starts it, and those that it starts find its
address in their environment.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
from collections.abc import Mapping

# What commands and tests import, at the top or when they need it (torch imports torch._dynamo to make optimizers).
# Importing it must start no threads, which are not forked.
MODULES = """
    av fastapi fsspec httpx librosa librosa.display lightning_fabric
    matplotlib.backends.backend_agg matplotlib.figure mutagen.easyid3 mutagen.mp4 mutagen.oggvorbis onnxruntime
    onnxscript playwright.sync_api scipy.signal scipy.stats soundfile tensorboardX torch torch._dynamo
    torch.onnx._internal.exporter._core torch.utils.flop_counter typer._adapters uvicorn
    vocalsep.cli.app vocalsep.cli.compare vocalsep.cli.evaluate vocalsep.cli.inspect vocalsep.cli.karaoke
    vocalsep.cli.split vocalsep.cli.train vocalsep.evaluation.runner vocalsep.inference.cost
    vocalsep.inference.onnx_backend vocalsep.inference.torch_backend vocalsep.jobs.rendering vocalsep.separator
    vocalsep.studio.api vocalsep.studio.server vocalsep.training.run
"""

ADDRESS = "VOCALSEP_TESTS_FORK_SERVER"
STARTS_WITHIN_S = 60

# Python and the libraries read these when they start or are loaded, which is before a command is forked.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OMP_", "MKL_")


def can_run() -> bool:
    """Whether a forked command would run in the same environment as a new process."""
    return os.name == "posix" and _at_start(os.environ) == _BEGAN


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def run(arguments: list[str], stdin: bytes, cwd: str | os.PathLike[str] | None, timeout: float, script: str = ""):
    """Run ``vocalsep ARGUMENTS``, or a Python script, and return the finished process; the output is bytes.

    Raises
    ------
    subprocess.TimeoutExpired
        The command took longer than `timeout` seconds, and was killed.
    """
    process = Process(arguments, cwd, script)
    try:
        stdout, stderr = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)


class Process:
    """A command that runs; what is the same as of `subprocess.Popen` has its name. All its streams are pipes.

    Parameters
    ----------
    arguments : list of str
    cwd : path or None
    script : str
        Path of a Python script that is run instead of ``vocalsep``.
    """

    def __init__(self, arguments: list[str], cwd: str | os.PathLike[str] | None = None, script: str = ""):
        self.args = arguments
        self.returncode: int | None = None
        request = _request(cwd or os.getcwd(), arguments=arguments, script=script)
        theirs, ours = [], []
        for is_input in (True, False, False, False):
            read_end, write_end = os.pipe()
            theirs.append(read_end if is_input else write_end)
            ours.append(write_end if is_input else read_end)
        start()
        _send(request, theirs)
        for fd in theirs:
            os.close(fd)
        self.stdin = os.fdopen(ours[0], "wb")
        self.stdout, self.stderr = os.fdopen(ours[1], "rb"), os.fdopen(ours[2], "rb")
        self._status = os.fdopen(ours[3], "rb", buffering=0)
        self.pid = int(_line(self._status))
        self._ended = threading.Event()
        threading.Thread(target=self._wait, daemon=True).start()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def communicate(self, content: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        """Write to the standard input, and return standard output and error once the command has ended."""
        streams: dict[str, bytes] = {}
        threads = [
            threading.Thread(target=_feed, args=(self.stdin, content), daemon=True),
            threading.Thread(target=_collect, args=(self.stdout, streams, "stdout"), daemon=True),
            threading.Thread(target=_collect, args=(self.stderr, streams, "stderr"), daemon=True),
        ]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        return streams["stdout"], streams["stderr"]

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait(self) -> None:
        self.returncode = int(_line(self._status))
        self._status.close()
        self._ended.set()


_BEGAN = _at_start(os.environ)


def start(**variables: str) -> None:
    """Start the process that forks, unless it runs, with these variables in its environment; it ends with this one.

    ``fork_server.py PATH`` is that process, with its socket at the path; it ends when its standard input does.
    """
    if ADDRESS in os.environ:
        return
    folder = tempfile.mkdtemp()
    address = os.path.join(folder, "socket")
    # Pipes, so that Python's standard streams are those of pipes; each child puts its own behind them.
    process = subprocess.Popen(
        [sys.executable, __file__, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **variables},
    )
    os.environ[ADDRESS] = address

    def end() -> None:
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)


def python_of_workers() -> str:
    """Return the command that pytest-xdist shall start for each process that runs tests, in place of Python."""
    return shlex.join([sys.executable, "-S", __file__])


def _run_code(code: str) -> int:
    """Run Python code in a forked process that has the standard streams of this one, and return its exit code."""
    status, written = os.pipe()
    _send(_request(os.getcwd(), code=code), [0, 1, 2, written])
    # The other process is to be the only one that reads and writes them.
    for fd in (0, 1, 2, written):
        os.close(fd)
    with os.fdopen(status, "rb", buffering=0) as lines:
        _line(lines)
        return int(_line(lines))


def _request(cwd: str | os.PathLike[str], **what: object) -> dict[str, object]:
    return {"cwd": os.fspath(cwd), "environment": dict(os.environ), **what}


def _send(request: dict[str, object], fds: list[int]) -> None:
    address = os.environ[ADDRESS]
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not os.path.exists(address):
        if time.monotonic() > deadline:
            raise RuntimeError("the process that forks has not started")
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], fds)


def _line(status) -> bytes:
    content = b""
    while not content.endswith(b"\n"):
        part = status.read(16)
        if not part:
            raise RuntimeError("the process that forks has ended")
        content += part
    return content


def _feed(pipe, content: bytes) -> None:
    # A command that does not read its input to the end closes it.
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(content)


def _collect(pipe, streams: dict[str, bytes], name: str) -> None:
    with pipe:
        streams[name] = pipe.read()


def _listen(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen(64)
    # Whoever finds it can connect at once, and waits until everything is imported.
    os.rename(f"{address}.new", address)
    return listener


def serve(listener: socket.socket) -> dict:
    """Fork for each request, and tell how the children end; in a child, return its request."""
    woken, wake = os.pipe()
    for fd in (woken, wake):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    children: dict[int, int] = {}
    while True:
        # Whoever has started this process has ended once the standard input has.
        ready, _, _ = select.select([listener, woken, 0], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(children)
        if 0 in ready:
            os._exit(0)
        if listener not in ready:
            continue
        connection, _ = listener.accept()
        with connection:
            content, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
        request: dict = json.loads(content)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            for fd in (woken, wake, *children.values(), fds[3]):
                os.close(fd)
            for target, fd in enumerate(fds[:3]):
                os.dup2(fd, target)
                os.close(fd)
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["environment"])
            return request
        for fd in fds[:3]:
            os.close(fd)
        children[pid] = fds[3]
        os.write(fds[3], f"{pid}\n".encode())


def _tell_ended(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        # Whoever has started it may be gone.
        with contextlib.suppress(BrokenPipeError):
            os.write(children[pid], f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(children.pop(pid))


def _import_all() -> None:
    """Import what commands and tests do."""
    import importlib

    from vocalsep.inference.onnx_session import DISABLE_TELEMETRY

    # For its telemetry, onnxruntime starts a thread.
    os.environ[DISABLE_TELEMETRY] = "1"
    for module in MODULES.split():
        # Not everything is installed everywhere.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


def _run(request: dict) -> None:
    if "code" in request:
        main_module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(request["code"], vars(main_module))
        return
    script = request["script"]
    sys.argv[1:] = request["arguments"]
    sys.path[0] = os.path.dirname(script) if script else os.getcwd()
    if script:
        sys.argv[0] = script
        runpy.run_path(script, run_name="__main__")
    else:
        runpy.run_module("vocalsep", run_name="__main__", alter_sys=True)


def main() -> None:
    """Import everything, fork for each request, and be what was asked for in the child."""
    if sys.argv[1] == "-u":
        # As pytest-xdist calls Python: -u -c CODE.
        sys.exit(_run_code(sys.argv[-1]))
    import gc
    import weakref

    listener = _listen(sys.argv[1])
    _import_all()
    gc.freeze()
    # Torch would take its operators apart at the end of each command; what ends here does so without.
    for finalizer in weakref.finalize._registry.values():  # type: ignore[attr-defined]
        finalizer.atexit = False
    request = serve(listener)
    code: object = 0
    try:
        _run(request)
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    # As Python ends, but for taking apart what all the modules hold, which takes longer than most commands.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
