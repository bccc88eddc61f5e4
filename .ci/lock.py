"""Lock the dependencies: write the hashes of what constraints.txt pins, or check that they agree.

    python .ci/lock.py write   asks the package index, and takes some minutes
    python .ci/lock.py check   reads only the files

`requirements.lock` holds what the program and its extras need, `requirements-dev.lock` the rest:
names, versions, and the hashes of the wheels that pip takes on the platforms below. `pip install
--require-hashes -r requirements.lock` refuses any other file.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-dev.lock")

# Linux with glibc 2.28 or newer. Of a package's wheels pip takes the one for the newest glibc that
# the machine has, so each glibc that wheels are built for has its own hash.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = ("x86_64", "aarch64")
GLIBC_MINORS = (28, 34, 39)
OLDEST_GLIBC_MINOR = 5  # manylinux1
DEV_EXTRAS = {"dev", "bench", "docs"}

CONCURRENT_RUNS = 4  # of pip, which mostly waits for the index

PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s\\]+)")
LOCKED = re.compile(r"[a-z0-9-]+==[^\s\\]+( \\\n    --hash=sha256:[0-9a-f]{64})+")


class Platform(NamedTuple):
    python: str
    machine: str
    glibc_minor: int

    def options(self) -> list[str]:
        """The options that make pip choose wheels for this platform."""
        tags = [f"2_{minor}" for minor in range(self.glibc_minor, OLDEST_GLIBC_MINOR - 1, -1)]
        names = [f"manylinux_{tag}_{self.machine}" for tag in tags]
        names += [f"{legacy}_{self.machine}" for legacy in ("manylinux2014", "manylinux1")]
        return [
            f"--python-version={self.python}",
            "--implementation=cp",
            f"--abi=cp{self.python.replace('.', '')}",
            "--abi=abi3",
            "--abi=none",
            *(f"--platform={name}" for name in names),
        ]


def canonical(name: str) -> str:
    """The name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """The version of each package that a text pins."""
    return {canonical(name): version for name, version in PIN.findall(text)}


def resolve(platform: Platform, arguments: Iterable[str]) -> dict[str, str]:
    """The package and the SHA-256 of each wheel that pip would install; downloads none."""
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary=:all:", f"--target={folder}/target"]
        command += [f"--report={report}", *platform.options(), *arguments]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        canonical(each["metadata"]["name"]): each["download_info"]["archive_info"]["hashes"][
            "sha256"
        ]
        for each in installs
    }


def requirements(*, with_dev: bool) -> list[str]:
    """What the program and its extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = extras.keys() if with_dev else extras.keys() - DEV_EXTRAS
    wanted = [each for name in sorted(names) for each in extras[name]]
    return [
        *project["dependencies"],
        *(each for each in wanted if not each.startswith(project["name"])),
    ]


def closure(pool: Executor, *, with_dev: bool) -> set[str]:
    """The packages that pip would install on one of the Pythons."""
    arguments = [f"--constraint={CONSTRAINTS}", *requirements(with_dev=with_dev)]
    platforms = [Platform(python, MACHINES[0], GLIBC_MINORS[0]) for python in PYTHONS]
    found = pool.map(lambda platform: resolve(platform, arguments).keys(), platforms)
    return set[str]().union(*found)


def write() -> None:
    """Write both locks."""
    versions = pins(CONSTRAINTS.read_text(encoding="utf-8"))
    platforms = [Platform(*each) for each in product(PYTHONS, MACHINES, GLIBC_MINORS)]
    hashes = defaultdict[str, set[str]](set)
    with ThreadPoolExecutor(CONCURRENT_RUNS) as pool:
        program = closure(pool, with_dev=False)
        if unpinned := closure(pool, with_dev=True) - versions.keys():
            sys.exit(f"constraints.txt does not pin {', '.join(sorted(unpinned))}")
        pinned = ["--no-deps", f"--requirement={CONSTRAINTS}"]
        for wheels in pool.map(lambda platform: resolve(platform, pinned), platforms):
            for name, sha256 in wheels.items():
                hashes[name].add(sha256)
    for lock, names in zip(LOCKS, (program, versions.keys() - program), strict=True):
        lines = [
            " \\\n    ".join(
                [
                    f"{name}=={versions[name]}",
                    *(f"--hash=sha256:{each}" for each in sorted(hashes[name])),
                ]
            )
            for name in sorted(names)
        ]
        lock.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{lock.name}: {len(lines)} packages")


def check() -> None:
    """End with an error unless the locks pin what constraints.txt pins, each with its hashes."""
    locked: dict[str, str] = {}
    for lock in LOCKS:
        text = lock.read_text(encoding="utf-8")
        if LOCKED.sub("", text).strip():
            sys.exit(f"{lock.name} holds more than names, versions and hashes; run `just lock`")
        locked |= pins(text)
    wanted = pins(CONSTRAINTS.read_text(encoding="utf-8"))
    differing = sorted({name for name, _ in locked.items() ^ wanted.items()})
    if differing:
        sys.exit(
            f"the locks differ from constraints.txt in {', '.join(differing)}; run `just lock`"
        )
    print(f"{len(locked)} packages are locked as constraints.txt pins them")


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]]()
