"""The C programs that measure: compiled on first use, kept in the user's cache folder."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

_FLAGS = ("-O2", "-Wall")
_LIBRARIES = ("-lm",)


class ToolMissing(Exception):
    """A program that has to be installed first; the text says how."""


def find_program(name: str, package: str) -> str:
    """Its path. Raises `ToolMissing` that names the Debian package."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not installed: sudo apt-get install {package}")
    return path


def cache_folder() -> Path:
    """Of the XDG base directory specification."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mirliton" / "bench"


def build(name: str, cache: Path) -> Path:
    """Compile `NAME.c` of this package unless it was before; returns the program. Raises `ToolMissing`."""
    compiler = find_program("gcc", "gcc libc6-dev")
    source = files(__package__).joinpath(f"{name}.c").read_bytes()
    mark = hashlib.sha256(b"\0".join([source, *map(str.encode, _FLAGS)])).hexdigest()[:16]
    program = cache / f"{name}-{mark}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _compile(compiler, source, program)
    return program


def _compile(compiler: str, source: bytes, program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / program.name
        command = [compiler, *_FLAGS, "-x", "c", "-", "-o", str(made), *_LIBRARIES]
        done = subprocess.run(command, input=source, capture_output=True, check=False)  # noqa: S603 - gcc, found above
        if done.returncode != 0:
            raise ToolMissing(f"gcc cannot compile {program.name} (is libc6-dev installed?):\n{done.stderr.decode()}")
        made.replace(program)  # whole or not at all, if two runs compile at the same time
