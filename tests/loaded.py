"""A command beside two busy loops per core, which end with it: `python tests/loaded.py COMMAND ...` (`make test-loaded`)."""

from __future__ import annotations

import os
import subprocess
import sys

PER_CORE = 2
# A loop ends by itself when its parent is gone, however that ended.
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): sum(range(10**5))"


def main(command: list[str]) -> int:
    """Run it; its exit code."""
    count = PER_CORE * (os.cpu_count() or 1)
    loops = [subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())]) for _ in range(count)]
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
