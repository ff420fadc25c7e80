"""How a worker ended, in Ray's words and in ours."""

from __future__ import annotations

from ray.exceptions import OutOfMemoryError, RayTaskError, RuntimeEnvSetupError

from microtune import Failure, RunError

# What Ray says of an actor whose process its memory monitor has killed, and of nothing else.
_OOM = ("OutOfMemoryError", "running low on memory", "memory usage threshold", "OOM_KILL", "NODE_OUT_OF_MEMORY")


def failure_of(death: BaseException | None, where: str) -> Failure:
    """Of the trial that ran there. `death` is the error of the actor's one call; None: it is not known yet."""
    if death is None:
        return Failure("lost", f"{where} is not to be reached any more")
    text = str(death).strip()
    if isinstance(death, OutOfMemoryError) or any(sign in text for sign in _OOM):
        return Failure("out_of_memory", f"{where} was killed by Ray, since its node was short of memory", text)
    return Failure("lost", f"{where} has died", text)


def refuse_hopeless(death: BaseException | None) -> None:
    """Raise where a worker has not even started, and no other one would."""
    if isinstance(death, (RuntimeEnvSetupError, RayTaskError)):
        raise RunError(
            f"workers cannot start on the Ray cluster: {str(death).strip()}\nEvery node needs this version of Python and of "
            "microtune-execute-ray, installed there or by runtime_env={'pip': [...]}, and a way to reach this program by TCP"
        ) from death
