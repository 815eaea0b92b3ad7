"""`make test`: calls in real time, and beside them, at a lower priority, everything else on two processes.

A phone that is held up says and hears things late, so the tests of calls go first; what they leave of two cores is
enough for the others. Before all that the engine's kernels are compiled, once: every process that finds them missing
would compile them for itself, all at the same time.
"""

import subprocess
import sys
import tempfile

COMPILE = "from mirliton.media.process import load_kernels; load_kernels()"
PYTEST = (sys.executable, "-m", "pytest")
OTHERS = ("-n", "2", "--dist", "loadfile", "--ignore=tests/calls", "-p", "no:cacheprovider", "--durations=15")


def main() -> int:
    """0 when all tests passed. The calls are shown as they go, the others when both have ended."""
    print("compiling the audio engine, unless that was done: one or two minutes", flush=True)
    subprocess.run([sys.executable, "-c", COMPILE], check=True)
    with tempfile.TemporaryFile("w+") as said:
        others = subprocess.Popen(["nice", "-n", "15", *PYTEST, *OTHERS], stdout=said, stderr=subprocess.STDOUT)
        calls = subprocess.run([*PYTEST, "tests/calls"], check=False).returncode
        rest = others.wait()
        said.seek(0)
        print(said.read(), flush=True)
    return calls or rest


if __name__ == "__main__":
    sys.exit(main())
