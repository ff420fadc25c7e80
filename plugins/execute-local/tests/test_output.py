from __future__ import annotations

import os
from pathlib import Path

import microtune as mt


def test_all_that_a_trial_writes_goes_to_its_folder(stage, capfd):
    def train(config):
        import ctypes
        import subprocess
        import sys

        print("python", config["number"])
        print("python, to stderr", file=sys.stderr)
        os.write(1, b"a raw write\n")
        ctypes.CDLL(None).printf(b"C's stdio\n")
        subprocess.run(["echo", "a child process"], check=True)
        raise ValueError("it fails") if config["number"] == 1 else SystemExit

    s = stage(train, output=True, workers=1)
    for number in range(3):
        s.exit_of(s.launch({"number": number}))
    for number, trial in enumerate(s.trials.values()):
        lines = Path(trial.folder, "output.txt").read_text().splitlines()
        assert sorted(lines) == sorted(
            [f"python {number}", "python, to stderr", "a raw write", "C's stdio", "a child process"]
        )
    assert capfd.readouterr() == ("", "")


def test_a_retry_appends(stage):
    def train(config):
        print("attempt", mt.get_context().attempt)

    s = stage(train, output=True)
    trial = s.launch()
    s.exit_of(trial)
    s.exit_of(s.launch(again=trial))
    assert Path(trial.folder, "output.txt").read_text() == "attempt 1\nattempt 2\n"


def test_it_can_be_followed_while_the_trial_runs(stage, eventually):
    def train(config):
        print("one line")
        mt.report(loss=1.0)

    s = stage(train, output=True)
    trial = s.launch()
    s.until(lambda: s.reports)
    assert Path(trial.folder, "output.txt").read_text() == "one line\n"


def test_else_it_goes_where_the_drivers_goes(stage, capfd):
    s = stage(lambda config: print("hello from the trial"))
    s.exit_of(s.launch())
    s.close()
    assert capfd.readouterr().out == "hello from the trial\n"
    assert not (s.folder / "trials").exists()
