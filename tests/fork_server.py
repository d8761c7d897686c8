"""Start the command line at once: in processes forked from one that has imported everything already.

What runs is a process of its own, with its own standard streams, signals and exit code, as ``python -m vocalsep`` would
be; only the seconds for which Python imports torch are saved. As a script this file is the process that forks.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping

# What the commands import, at the top or when they need it (torch imports torch._dynamo when an optimizer is made).
# Importing it must start no threads, which are not forked (onnxruntime starts some).
MODULES = """
    av fsspec librosa lightning_fabric matplotlib.backends.backend_agg matplotlib.figure mutagen.easyid3 mutagen.mp4
    mutagen.oggvorbis scipy.signal scipy.stats soundfile tensorboardX torch torch._dynamo torch.utils.flop_counter
    typer._adapters
    vocalsep.cli.app vocalsep.cli.compare vocalsep.cli.evaluate vocalsep.cli.inspect vocalsep.cli.karaoke
    vocalsep.cli.split vocalsep.cli.train vocalsep.evaluation.runner vocalsep.inference.cost
    vocalsep.inference.onnx_backend vocalsep.inference.torch_backend vocalsep.jobs.rendering vocalsep.separator
    vocalsep.training.run
"""

# Python and the libraries read these when they start or are loaded, which is before a command is forked.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "OMP_", "MKL_")


def can_run() -> bool:
    """Whether a forked command would run in the same environment as a new process."""
    return os.name == "posix" and _at_start(os.environ) == _BEGAN


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def run(arguments: list[str], stdin: bytes, cwd: str | os.PathLike[str] | None, timeout: float):
    """Run ``vocalsep ARGUMENTS`` and return the finished process; the output is bytes.

    Raises
    ------
    subprocess.TimeoutExpired
        The command took longer than `timeout` seconds, and was killed.
    """
    request = {"arguments": arguments, "cwd": os.fspath(cwd or os.getcwd()), "environment": dict(os.environ)}
    read_end, input_end = os.pipe()
    output_end, stdout = os.pipe()
    error_end, stderr = os.pipe()
    with _lock:
        server = _server()
        socket.send_fds(server, [json.dumps(request).encode()], [read_end, stdout, stderr])
        for fd in (read_end, stdout, stderr):
            os.close(fd)
        answers = server.makefile("r")
        pid = int(answers.readline())
        late = threading.Timer(timeout, _kill, [pid])
        late.start()
        streams: dict[str, bytes] = {}
        threads = [
            threading.Thread(target=_feed, args=(input_end, stdin)),
            threading.Thread(target=_collect, args=(output_end, streams, "stdout")),
            threading.Thread(target=_collect, args=(error_end, streams, "stderr")),
        ]
        for thread in threads:
            thread.start()
        code = int(answers.readline())
        for thread in threads:
            thread.join()
        expired = not late.is_alive()
        late.cancel()
    if expired:
        raise subprocess.TimeoutExpired(arguments, timeout, streams["stdout"], streams["stderr"])
    return subprocess.CompletedProcess(arguments, code, streams["stdout"], streams["stderr"])


_lock = threading.Lock()
_BEGAN = _at_start(os.environ)


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair()
    # Pipes, so that Python's standard streams are those of pipes; each child puts its own behind them.
    process = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.communicate()

    atexit.register(end)
    return ours


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _feed(fd: int, content: bytes) -> None:
    # A command that does not read its input to the end closes it.
    with contextlib.suppress(BrokenPipeError), open(fd, "wb") as pipe:
        pipe.write(content)


def _collect(fd: int, streams: dict[str, bytes], name: str) -> None:
    with open(fd, "rb") as pipe:
        streams[name] = pipe.read()


def serve(client: socket.socket) -> list[str]:
    """Fork for each request, and wait for the child; in the child, return the arguments of its command."""
    while True:
        content, fds, _, _ = socket.recv_fds(client, 1 << 20, 3)
        if not content:
            os._exit(0)
        request = json.loads(content)
        pid = os.fork()
        if pid == 0:
            client.close()
            for target, fd in enumerate(fds):
                os.dup2(fd, target)
                os.close(fd)
            os.chdir(request["cwd"])
            os.environ.clear()
            os.environ.update(request["environment"])
            return request["arguments"]
        for fd in fds:
            os.close(fd)
        client.sendall(f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        client.sendall(f"{code}\n".encode())


def main() -> None:
    """Import everything, fork for each request, and be the command in the child."""
    import gc
    import importlib

    for module in MODULES.split():
        # Not everything is installed everywhere.
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.freeze()
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1:] = arguments
    sys.path[0] = os.getcwd()
    code: object = 0
    try:
        runpy.run_module("vocalsep", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
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
