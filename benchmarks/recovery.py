"""What a killed driver costs: microtune and Ray Tune, on the same run, killed at the same places.

    python benchmarks/recovery.py                  everything that is installed (eight minutes)
    python benchmarks/recovery.py --quick          fewer trials and kills, two minutes
    python benchmarks/recovery.py --peers ""       microtune alone

A driver kills itself with SIGKILL once its loggers have heard so many results; another process resumes the run to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from answer import MARK
from overhead import ENVIRONMENT, HERE, NAME, OURS, RAY, TIMEOUT, number, version_of
from recovery_trial import KILL_AFTER, REPORTS, WITNESS

TRIALS = 200  # of the run that is killed
SCRIPT = {OURS: "recovery_ours.py", RAY: "recovery_ray.py"}
PATIENCE = 60  # seconds for the processes of a dead driver to end


def ask(tuner: str, question: str, witness: Path, kill_after: int = 0, **arguments: Any) -> Any:
    """The answer of a process of its own; None if it killed itself, as it was told to."""
    command = [sys.executable, str(HERE / SCRIPT[tuner]), question, *(f"{k}={json.dumps(v)}" for k, v in arguments.items())]
    environment = {**ENVIRONMENT, WITNESS: str(witness), KILL_AFTER: str(kill_after)}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:  # a pipe would wait for what it left behind
        done = subprocess.run(command, stdout=out, stderr=err, timeout=TIMEOUT, check=False, env=environment)
        wait_for_what_is_left(tuner, witness)
        if kill_after and done.returncode == -signal.SIGKILL:
            return None
        out.seek(0)
        err.seek(0)
        for line in reversed(out.read().splitlines()):
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{err.read()[-3000:]}")


def wait_for_what_is_left(tuner: str, witness: Path) -> None:
    """The processes that the driver started, known by their environment, end when they find that it is gone."""
    mark = f"{WITNESS}={witness}\0".encode()
    end = time.monotonic() + PATIENCE
    while left := [int(entry.parent.name) for entry in Path("/proc").glob("[0-9]*/environ") if mark in environment_of(entry)]:
        if time.monotonic() > end:
            print(f"    {NAME[tuner]}: {len(left)} processes outlive their driver by {PATIENCE} s and are killed", flush=True)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def environment_of(entry: Path) -> bytes:
    try:
        return entry.read_bytes()
    except OSError:  # somebody else's, or gone
        return b""


# --- a finished run is extended ---------------------------------------------------------------------------------------


def extension(folder: Path, trials: int, target: str) -> dict[str, Any]:
    """The median of five resumes of a finished run, each of a fresh copy."""
    ask(OURS, "finished", folder, folder=str(folder / "finished"), trials=trials)
    journal = ask(OURS, "written", folder, folder=str(folder / "finished"))["journal"]
    walls, insides = [], []
    for n in range(5):
        copy = folder / f"copy-{n}"
        shutil.copytree(folder / "finished", copy)
        begin = time.time()
        answer = ask(OURS, "extended", folder, folder=str(copy), trials=trials)
        walls.append(answer["at"] - begin)
        insides.append(answer["seconds"])
        shutil.rmtree(copy)
    wall, inside = statistics.median(walls), statistics.median(insides)
    seconds = f"{number(inside)} s; from the start of the process {number(wall)} s ({target})"
    per_result = journal / trials / REPORTS
    print(f"    {trials:,} finished trials, {trials * REPORTS:,} results")
    print(f"        restore() to the next trial    {seconds}")
    print(f"        the journal on disk            {number(per_result)} B a result", flush=True)
    return {"trials": trials, "inside_s": inside, "process_s": wall, "journal_bytes_per_result": per_result}


# --- a run is killed --------------------------------------------------------------------------------------------------


class Kill(NamedTuple):
    """One kill, after so many of the run's results."""

    after: int
    lost: int  # results that the driver had told its loggers, and that the resumed run does not have
    repeated: int  # evaluations of a configuration at a step at which it had been evaluated
    in_vain: int  # evaluations whose result the run does not have at its end
    trials: int  # at the end
    results: int
    first_s: float  # from restore() to the first evaluation
    process_s: float  # from the start of the process
    bytes: int


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def kill(tuner: str, folder: Path, after: int) -> Kill:
    run = str(folder / "run")
    if ask(tuner, "run", folder, after, folder=run, trials=TRIALS) is not None:
        raise RuntimeError(f"{NAME[tuner]} came to its end before {after} results were heard")
    heard = {(int(x), int(step)) for x, step in lines(folder / "heard")}
    begin = time.time()
    answer = ask(tuner, "resume", folder, folder=run)
    found = [(x, step) for x, step in answer["results"]]
    evaluated = [(int(x), int(step)) for x, step, _ in lines(folder / "evaluated")]
    first = min(at for at in (float(at) for *_, at in lines(folder / "evaluated")) if at > answer["called"])
    return Kill(
        after=after,
        lost=len(heard - set(found)),
        repeated=len(evaluated) - len(set(evaluated)),
        in_vain=len(set(evaluated) - set(found)),
        trials=answer["trials"],
        results=len(set(found)),
        first_s=first - answer["called"],
        process_s=first - begin,
        bytes=ask(tuner, "written", folder, folder=run)["all"],
    )


def kills(tuner: str, fractions: list[float]) -> list[dict[str, Any]]:
    found = []
    for fraction in fractions:
        with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
            found.append(kill(tuner, Path(folder), round(TRIALS * REPORTS * fraction)))
    total = Kill(*(sum(values) for values in zip(*found, strict=True)))
    count = len(found)
    where = f"at {fractions[0]:.0%}" + (f" to {fractions[-1]:.0%} of its results" if count > 1 else " of its results")
    first, process = (statistics.median(values) for values in zip(*((k.first_s, k.process_s) for k in found), strict=True))
    print(f"    {NAME[tuner]}, killed {count} times, {where}")
    print(f"        results lost                {total.lost:>8,} of {total.after:,} that had been told")
    print(f"        evaluations repeated        {total.repeated:>8,}   {number(total.repeated / count)} a kill")
    print(f"        evaluations without result  {total.in_vain:>8,}   {number(total.in_vain / count)} a kill")
    print(f"        runs with all trials        {sum(k.trials == TRIALS for k in found):>8,} of {count}")
    print(f"        runs with all results       {sum(k.results == TRIALS * REPORTS for k in found):>8,} of {count}")
    print(f"        restore() to the first evaluation    {number(first)} s; from the start of the process {number(process)} s")
    print(f"        on disk at the end, without checkpoints    {number(total.bytes / total.results)} B a result", flush=True)
    return [{"tuner": tuner, **one._asdict()} for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and fewer kills")
    parser.add_argument("--peers", default=RAY, help='whom to measure beside microtune: ray, or "" for nobody')
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    if arguments.peers not in ("", RAY):
        parser.error(f"--peers knows ray, not {arguments.peers}")
    tuners = [OURS, *filter(None, [arguments.peers])]

    versions = ", ".join(f"{NAME[tuner]} {version_of(tuner) or 'not installed'}" for tuner in tuners)
    print(f"{versions}; Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}")
    found = []
    print("\na finished run is extended by one trial")
    for trials, target in ((1_000, "target: under 0.5"), (10_000, "target: under 3"))[: 1 if arguments.quick else 2]:
        with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
            found.append(extension(Path(folder), trials, target))
    print(f"\na run of {TRIALS} trials with {REPORTS} results each, 2 at a time, is killed and resumed to its end")
    for tuner in tuners:
        if version_of(tuner) is None:
            print(f'    {NAME[tuner]} is not installed and left out: pip install "ray[tune]==2.60.0"')
            continue
        count = {OURS: 4, RAY: 1}[tuner] + (0 if arguments.quick else {OURS: 15, RAY: 2}[tuner])
        found += kills(tuner, [(n + 1) / (count + 1) for n in range(count)])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
