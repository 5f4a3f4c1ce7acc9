"""The first lines of a function's process: run as a script by a bare interpreter (`-I -S`), which sees no site-packages.

    python -I -S -B -X utf8 entry.py PACKAGES LIFELINE MOST_BYTES

PACKAGES is the folder of Lambda's own packages, LIFELINE the read end of a pipe whose other end rftj holds, MOST_BYTES the
limit of the address space. Nothing of rftj is imported here.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys


def _end_with_rftj(lifeline: int) -> None:
    """However rftj ends, the other end of the pipe is closed then, and the kernel kills this process group."""
    import fcntl

    os.set_inheritable(lifeline, False)
    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        if os.read(lifeline, 1) == b"":  # closed before the kernel was told to watch
            os.killpg(0, signal.SIGKILL)
    except BlockingIOError:
        pass  # open, and nothing to read: as it should be
    except (OSError, AttributeError):
        pass  # a system without such signals: the runtime client ends when it cannot reach the Runtime API


def _limit(most: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])  # Lambda's limit of open files
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _add_builtins() -> None:
    """`exit` and its like, which `-S` leaves out and a function in Lambda has."""
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()


def main() -> None:
    """Limit this process, say what it can import, and hand over to AWS's runtime client."""
    packages, lifeline, most = sys.argv[1:4]
    _end_with_rftj(int(lifeline))
    _limit(int(most))
    _add_builtins()
    sys.path.append(packages)
    client = importlib.import_module("awslambdaric.__main__")
    handler, task = os.environ["_HANDLER"], os.environ["LAMBDA_TASK_ROOT"]
    sys.path.insert(0, task)
    sys.argv = ["bootstrap.py", handler]
    client.main(sys.argv)


if __name__ == "__main__":
    main()
