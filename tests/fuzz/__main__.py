"""Send what a fuzzer makes up to a real connection: decoding, structure, and the machines behind them.

    python -m tests.fuzz --seconds 60
    python -m tests.fuzz --replay crash-0123          an input that was found

Needs atheris (`pip install -e '.[fuzz]'`: Linux, CPython up to 3.13). The fuzzer follows the coverage of protocol and
daemons.link. An input fails that raises anything but a protocol error, breaks a bound, takes 2 s, or allocates 64 MB at
once. What was found is kept in --corpus for the next time. Exits with 0 when all was well, 1 with the input when it was
not, 2 when nothing could be tried.
"""

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
from pathlib import Path

LIMITS = ("-timeout=2", "-rss_limit_mb=1024", "-malloc_limit_mb=64", "-max_len=1200", "-len_control=0")
SEEDS = 100


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument(
        "--corpus", type=Path, help="a folder of inputs that led somewhere, read and added to"
    )
    parser.add_argument("--replay", type=Path, help="one input")
    args = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here (pip install -e '.[fuzz]'): nothing was tried")
        return 2
    with tempfile.TemporaryDirectory(prefix="pitlink-fuzz-") as name:
        scratch = Path(name)
        (scratch / "store").mkdir()
        command = [sys.executable, "-m", "tests.fuzz.harness", str(scratch / "store"), *LIMITS]
        if args.replay is not None:
            return _run([*command, str(args.replay)], quiet=False)
        corpus = args.corpus or scratch / "corpus"
        corpus.mkdir(parents=True, exist_ok=True)
        rng = random.Random(1)
        for number in range(SEEDS):
            (corpus / f"seed-{number}").write_bytes(rng.randbytes(rng.randrange(20, 400)))
        found = Path.cwd() / "fuzz-found"
        found.mkdir(exist_ok=True)
        code = _run(
            [*command, f"-max_total_time={args.seconds}", f"-artifact_prefix={found}/", str(corpus)],
            quiet=True,
        )
        inputs = sorted(found.iterdir())
        for path in inputs:
            print(f"replay: python -m tests.fuzz --replay {path}")
        if not inputs:
            found.rmdir()
        return code


def _run(command: list[str], *, quiet: bool) -> int:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("INFO:")]
    if done.returncode == 0 and quiet:
        lines = [line for line in lines if line.startswith("Done ") or " DONE " in line]
    print("\n".join(lines[-60:]))
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
