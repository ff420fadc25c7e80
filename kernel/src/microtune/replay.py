"""state = fold(events). The live run applies each event through the same `State.apply` as a replay does."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Any

from microtune import events as ev
from microtune.events import Event
from microtune.trial import COMPLETED, ENDED, FAILED, PAUSED, PENDING, RUNNING, STOPPED, Result, Trial


class Life:
    """What the kernel keeps of a trial that is not over, beside the Trial itself."""

    __slots__ = ("began", "checkpoints", "latest", "losses", "lost_at", "measured", "sent", "spent", "trial")

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.began = 0.0  # `at` of the launch
        self.spent = 0.0  # seconds of running before it
        self.measured = False  # it has reported the objective
        self.losses = 0  # in a row, at iteration `lost_at`
        self.lost_at = -1
        self.latest: str | None = None  # its own last checkpoint
        self.sent = False  # its Resume names where to go on from, and it has not been launched since
        self.checkpoints: list[tuple[str, float]] = []  # (path, score) of those kept, where they are counted at all


class State:
    """Everything that the kernel knows about a run. Trials that are over leave nothing but numbers."""

    def __init__(
        self,
        folder: str = "",
        measures: Callable[[dict[str, Any]], bool] = lambda metrics: True,
        score: Callable[[dict[str, Any]], float] | None = None,
    ) -> None:
        """`measures`: do these metrics hold the objective? `score`: what checkpoints are kept by, None: none is counted."""
        self.seq = 0
        self.created = 0  # also the number of the next trial
        self.uncounted = 0  # of these, those that num_samples does not count: infeasible ones, and retries of failed ones
        self.lives: dict[str, Life] = {}
        self.counts: dict[str, int] = dict.fromkeys((PENDING, RUNNING, PAUSED, COMPLETED, STOPPED, FAILED), 0)
        self.pending: list[tuple[int, str]] = []  # a heap, the oldest first; an entry may be out of date
        self.restore_points: Counter[str] = Counter()  # checkpoints that unfinished trials would restore from
        self.settings: dict[str, Any] = {}
        self.measured = False  # some trial has reported the objective
        self.elapsed = 0.0  # seconds, over the sessions before this one
        self.session_began: float | None = None
        self.last_at = 0.0
        self._folder = folder
        self._measures = measures
        self._score = score
        self._apply = {kind: getattr(self, f"_{kind}") for kind in ev.KINDS}

    def apply(self, event: Event) -> Trial | None:
        """Take in one event and return its trial as of now."""
        trial: Trial | None = self._apply[event.kind](event)
        self.seq = event.seq
        if event.at > self.last_at:
            self.last_at = event.at
        return trial

    def unfinished(self, state: str) -> list[Trial]:
        return [life.trial for life in self.lives.values() if life.trial.state == state]

    def pop_pending(self, leaving: Container[str] = ()) -> Trial | None:
        """The oldest PENDING trial, without those whose last attempt is still leaving: `left` brings these back."""
        while self.pending:
            _, trial_id = heapq.heappop(self.pending)
            life = self.lives.get(trial_id)
            if life is not None and life.trial.state == PENDING and trial_id not in leaving:
                return life.trial
        return None

    def left(self, trial_id: str) -> None:
        """The last attempt has left its worker: launch the trial again if it is PENDING, forget it if it is over."""
        trial = self.lives[trial_id].trial
        if trial.state == PENDING:
            heapq.heappush(self.pending, (trial.number, trial_id))
        elif trial.state in ENDED:
            self.forget(trial_id)

    def forget(self, trial_id: str) -> None:
        """The trial is over and its worker has left it: nothing more can come."""
        self.lives.pop(trial_id, None)

    def disown(self, trial_id: str) -> Trial:
        """Its token means nothing to the searcher of this session."""
        life = self.lives[trial_id]
        life.trial = life.trial._replace(token=None)
        return life.trial

    # --- one method per kind of event --------------------------------------------------------------------------------

    def _opened(self, event: Event) -> None:
        if self.session_began is not None:
            self.elapsed += self.last_at - self.session_began
        for life in self.lives.values():
            if life.trial.state == RUNNING:  # its session was killed, and it with it: nobody ran in between
                life.spent += max(0.0, self.last_at - life.began)
                life.began = event.at
        self.session_began = self.last_at = event.at  # a virtual clock may start anew
        self.settings.update(event.body["settings"])

    _changed = _opened

    def _created(self, event: Event) -> Trial:
        body, trial_id = event.body, event.trial
        assert trial_id is not None
        trial = Trial(
            trial_id, body["number"], body["config"], token=body.get("token"), resources=body.get("resources"),
            checkpoint=body.get("checkpoint"), iteration=body.get("iteration", 0), folder=f"{self._folder}/trials/{trial_id}",
        )  # fmt: skip
        self.created = trial.number + 1
        self.uncounted += body.get("infeasible", False) or "retries" in body
        self.counts[PENDING] += 1
        life = self.lives[trial.id] = Life(trial)
        if trial.checkpoint is not None:
            self.restore_points[trial.checkpoint] += 1
        heapq.heappush(self.pending, (trial.number, trial.id))
        return life.trial

    def _resumed(self, event: Event) -> Trial:
        life, body = self._life(event), event.body
        trial = life.trial
        self._restore_from(life, body.get("checkpoint", trial.checkpoint))
        life.sent = "checkpoint" in body
        return self._move(
            life, PENDING, body.get("reason"), starts=trial.starts + 1, config=body.get("config", trial.config),
            resources=body.get("resources", trial.resources), iteration=body.get("iteration", trial.iteration),
        )  # fmt: skip

    def _launched(self, event: Event) -> Trial:
        life = self._life(event)
        life.began = event.at
        life.sent = False
        return self._move(life, RUNNING, None, attempt=event.body["attempt"])

    def _checkpoint(self, event: Event) -> Trial | None:
        life, path = self.lives.get(event.trial or ""), event.body["path"]
        if life is None:  # replayed: a trial that was stopped wrote it on its way out
            return None
        life.latest = path
        if life.trial.state not in ENDED and not life.sent:
            self._restore_from(life, path)
        if self._score is not None:
            life.checkpoints.append((path, self._score({})))  # one without a result ranks last, if anything is ranked
        return life.trial

    def _result(self, event: Event) -> Trial:
        life, body = self._life(event), event.body
        metrics = body["metrics"]
        if self._score is not None and "checkpoint" in body:
            life.checkpoints[-1] = (body["checkpoint"], self._score(metrics))
        if body.get("repeat"):
            return life.trial
        if not life.measured and self._measures(metrics):
            life.measured = self.measured = True
        if life.trial.state == PENDING:  # that last report
            life.spent += max(0.0, event.at - life.began)
        trial = life.trial = life.trial._replace(iteration=body["iteration"])
        return trial

    def _decided(self, event: Event) -> Trial:
        life = self._life(event)
        if event.body["decision"] == "pause":
            life.spent += event.at - life.began
            return self._move(life, PAUSED, event.body["reason"])
        return life.trial

    def _interrupted(self, event: Event) -> Trial:
        life, body = self._life(event), event.body
        trial = life.trial
        life.spent += max(0.0, event.at - life.began)
        life.began = max(life.began, event.at)  # where the run ends, it may take the time to reach a last report
        if body.get("failure", {}).get("kind") == "lost":
            life.losses = life.losses + 1 if life.lost_at == trial.iteration else 1
            life.lost_at = trial.iteration
        return self._move(life, PENDING, body["reason"], failures=trial.failures + bool(body.get("counted")))

    def _ended(self, event: Event) -> Trial:
        life = self._life(event)
        trial = self._move(life, event.body["state"], event.body["reason"], finished=ev.finished(event.body))
        self._restore_from(life, None)
        return trial

    def _deleted(self, event: Event) -> Trial | None:
        life = self.lives.get(event.trial or "")
        if life is None:
            return None
        life.checkpoints = [kept for kept in life.checkpoints if kept[0] != event.body["path"]]
        if "instead" in event.body:
            life.latest = event.body["instead"]
            self._restore_from(life, life.latest)
        return life.trial

    def _fault(self, event: Event) -> Trial | None:
        life = self.lives.get(event.trial or "")
        return life.trial if life else None

    def _closed(self, event: Event) -> None:
        """The next session begins with an event of its own."""

    # --- what they share ---------------------------------------------------------------------------------------------

    def _life(self, event: Event) -> Life:
        assert event.trial is not None
        return self.lives[event.trial]

    def _move(self, life: Life, state: str, reason: str | None, **changes: Any) -> Trial:
        self.counts[life.trial.state] -= 1
        self.counts[state] += 1
        trial = life.trial = life.trial.moved(state, reason, **changes)
        if state == PENDING:
            heapq.heappush(self.pending, (trial.number, trial.id))
        return trial

    def _restore_from(self, life: Life, path: str | None) -> None:
        old = life.trial.checkpoint
        if old == path:
            return
        if old is not None:
            self.restore_points[old] -= 1
            if not self.restore_points[old]:
                del self.restore_points[old]
        if life.trial.state in ENDED:  # it keeps saying where its last state is, but holds it no longer
            return
        if path is not None:
            self.restore_points[path] += 1
        life.trial = life.trial._replace(checkpoint=path)


def replay(
    state: State,
    events: Iterator[Event],
    tell: Callable[..., None],
    searcher: Any,
    clock: Callable[[float], None],
) -> None:
    """Apply each event, then tell it as it was told live. `suggest` and `decide` are not called: their answers are read.

    A trial that another searcher than the present one suggested is told without its token.
    """
    own = True
    for event in events:
        trial = state.apply(event)
        clock(event.at)
        if event.kind in (ev.OPENED, ev.CHANGED):
            own = searcher_of(state.settings) == searcher
            continue
        if event.kind == ev.CREATED and not own and trial is not None:
            trial = state.disown(trial.id)
        if trial is None:
            continue
        if event.kind in (ev.CREATED, ev.RESUMED):
            tell("on_start", trial=trial)
        elif event.kind == ev.RESULT and not event.body.get("repeat"):
            body = event.body
            result = Result(body["metrics"], body["iteration"], body["time_total_s"], event.at, body.get("checkpoint"))
            tell("on_result", trial=trial, result=result)
        elif event.kind == ev.DECIDED and trial.state == PAUSED:
            tell("on_pause", trial=trial)
        elif event.kind == ev.ENDED:
            tell("on_end", trial=trial)
            # A worker that was leaving when the journal ended has left by now.
            state.forget(trial.id)


def searcher_of(settings: dict[str, Any]) -> Any:
    """What names a searcher: a token means something to the same one only."""
    for plugin in settings.get("plugins", ()):
        if plugin["role"] in ("searcher", "modifier"):
            return _identity(plugin)
    return None


def _identity(plugin: dict[str, Any]) -> Any:
    inner = plugin.get("inner")
    return [plugin.get("name"), plugin.get("class"), inner and _identity(inner)]
