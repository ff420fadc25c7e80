"""THE CONTRACT: the hooks, in the order in which a trial meets them.

    setup
    turn, again and again:
        wait                                    the executor's batch of reports
        for each result: on_result, then decide; on_pause or on_end, if that says so
        for each exit: on_end, or a retry
        -- commit --
        steer                                   every trial that reported
        for each free slot: suggest, on_start
        -- commit --
        launch
        checkpoint                              for each new one
        log                                     what was committed
    teardown

A verb asks: the first answer that is not None wins; stop rules are asked first, then the scheduler, then the searcher.
`on_...` tells: everyone hears, in that order. None always means "no opinion". Every hook may also take `run`
(`microtune.facts.Facts`); an implementation names only the parameters that it wants.

The rule that makes replay exact: `on_...` mutates; `decide` only reads; `suggest` and `decide` keep nothing that the tells
cannot rebuild. On a resume the tells of the whole journal come first, with no `suggest` or `decide` between them.
"""

from __future__ import annotations

import random

import pluggy

from microtune.answers import Batch, Decision, Discard, Suggestion
from microtune.events import Event
from microtune.facts import Facts
from microtune.trial import Result, Trial

PROJECT = "microtune"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def setup(run: Facts) -> None:
    """The run is about to start or to be resumed. An exception refuses it: say what is wrong and what to do."""


@hookspec(firstresult=True)
def suggest(run: Facts, rng: random.Random) -> Suggestion | None:
    """There is room for one more trial: which?

    The scheduler is asked first (it may Resume a paused trial or Stop one), then the searcher. Where the searcher has nothing
    while trials are paused (Done, or Wait while nothing runs), the scheduler is asked once more with its reason as
    `run.exhausted`: whoever waits for more trials before it resumes one gets no more for now. `rng` is
    `run.rng("suggest", number of the next trial)`. What is answered with Start comes back through `on_start`, projected
    onto the space: keep nothing before that. A space with a grid_search is refused for a searcher whose class does not say
    `grid = True`; one that may propose what the space does not declare says `own_space = True`, and the space may be empty.
    """


@hookspec
def on_start(run: Facts, trial: Trial) -> None:
    """A trial was created (`trial.starts == 1`) or resumed (`starts > 1`, perhaps with another config); never a retry.

    It may be one that this searcher did not suggest: another searcher's, a stored point, a trial of an earlier session.
    Where the scheduler was changed the kernel resumes what the old one had paused, and says so in `trial.reason`, which is
    None otherwise.
    """


@hookspec
def launch(run: Facts, trial: Trial) -> None:
    """Executor: run this attempt. Raise CannotFit where the cluster can never hold it; the trial is FAILED then."""


@hookspec(firstresult=True)
def wait(run: Facts, until: float) -> Batch | None:
    """Executor: the only blocking call of the programme, and its only source of time.

    Returns at the first report, at a change of `slots`, when `now >= until` (0: at once; inf: no deadline), when
    `run.wakeup_fd` can be read, and at least once a second where it does not watch that descriptor.
    """


@hookspec
def on_result(run: Facts, trial: Trial, result: Result) -> None:
    """A new result, the last one and the one that gets a trial stopped included.

    Worked example: the trial reports loss 0.5 and then 0.4. You hear (trial with iteration 1, {"loss": 0.5}) and then
    (trial with iteration 2, {"loss": 0.4}), once each, however often the run is killed in between. After a retry from the
    checkpoint of iteration 1 its second report of iteration 2 is a repeat and told to nobody.
    """


@hookspec(firstresult=True)
def decide(run: Facts, trial: Trial, result: Result) -> Decision | None:
    """What does the trial do after this result? `on_result` has told it already; only read here.

    A Stop at the end of all the training that a trial was to have, such as at a `max_t`, says `finished=True`: models take
    the trial's last value for its value. Any other cuts it short.

    Not asked for a value that the trial returned, nor for what comes from a trial that was interrupted since, nor of a
    trial that somebody outside wants stopped, which is a Stop.
    """


@hookspec
def on_pause(run: Facts, trial: Trial) -> None:
    """The trial was paused: it waits for the scheduler's Resume or Stop, and one of `on_start` and `on_end` tells of it.

    Not every Pause that a scheduler would answer is in force: a stop rule may have been faster, or the run may have ended
    first, in which case the trial simply trains on when the run does.
    """


@hookspec
def steer(run: Facts, trial: Trial, decision: Decision | Discard) -> None:
    """Executor: carry a committed decision to the worker; a trial between two reports hears at its next one.

    A trial that was told Pause or Stop and has not left within `run.limits.grace` seconds is killed, its process tree
    with it. However it left, its Exited follows. `Discard(url)`: delete that checkpoint.
    """


@hookspec(firstresult=True)
def checkpoint(run: Facts, trial: Trial, checkpoint: str) -> list[str] | None:
    """A checkpoint was committed: which ones may be deleted now?

    The kernel strikes out those that an unfinished trial would restore from and every trial's latest. Its own policy
    (`checkpoints={"keep": ...}`) answers last.
    """


@hookspec
def on_end(run: Facts, trial: Trial) -> None:
    """The trial is over, once: `trial.state` is COMPLETED, STOPPED or FAILED and `trial.reason` says why.

    `trial.finished`: its last value is that of a trial which had all of its training. One that was cut short is told to a
    model as what it is, never as if it had finished.
    """


@hookspec
def log(run: Facts, event: Event) -> None:
    """Loggers: a committed event, at least once and in order. On a resume you get what follows your last commit."""


@hookspec
def teardown(run: Facts, error: BaseException | None) -> None:
    """Always called, in the reverse order of setup: on success, error, Ctrl-C and SIGTERM. Leave nothing behind."""


HOOKS: tuple[str, ...] = (
    "setup", "suggest", "on_start", "launch", "wait", "on_result", "decide", "on_pause", "steer", "checkpoint", "on_end", "log",
    "teardown",
)  # fmt: skip

