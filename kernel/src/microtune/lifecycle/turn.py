"""One turn of the run.

    wait                                    for a batch of reports
    for each result: record, tell on_result, ask decide
    for each exit: retry, or record and tell on_end
    commit                                  nothing below happens before what it follows from is on disk
    steer                                   every trial that reported: workers train on during the rest
    fill                                    the oldest pending trial, else suggest, into each free slot
    commit
    launch, delete checkpoints, log

The cost of a turn depends on the number of reports in it, never on the number of trials.
"""

from __future__ import annotations

from microtune.answers import Exited
from microtune.kernel import Kernel
from microtune.lifecycle import checkpoint, decide, end, launch, log, result, suggest, wait
from microtune.trial import PENDING, RUNNING


def take_turn(k: Kernel) -> bool:
    """True while there is more to do."""
    reports = wait.wait(k)
    # Here and below, what there is nothing for is not called: reports come one by one, and a turn for each counts.
    ending = {each.trial_id for each in reports if type(each) is Exited and each.failure is None} if len(reports) > 1 else ()
    for report in reports:
        k.facts.now = report.at  # what a replay tells with this event
        if isinstance(report, Exited):
            end.take(k, report)
        else:
            reported = result.take(k, report)
            # A result that comes with its trial's end, a returned value, is told and not decided.
            if reported is not None and report.trial_id not in ending:
                decide.decide(k, *reported)
    k.facts.now = k.now
    if k.stop_reason is not None and k.running:
        k.drain()
    if k.steers or k.fresh_checkpoints:
        k.commit()
        launch.steer(k)
        if k.fresh_checkpoints:
            checkpoint.retain(k)
    if k.stop_reason is None:
        suggest.fill(k)
    if k.journal.fresh:
        k.commit()
    if k.launches:
        launch.launch(k)
    if k.doomed:
        checkpoint.delete(k)
    if k.to_log:
        log.log(k)
    return not _over(k)


def _over(k: Kernel) -> bool:
    if k.state.counts[RUNNING] or k.leaving:
        return False
    if k.stop_reason is not None:
        return True
    return k.done and not k.state.counts[PENDING]
