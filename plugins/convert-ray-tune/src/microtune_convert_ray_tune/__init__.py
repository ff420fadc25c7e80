"""Ray Tune: the folder of an experiment as a run."""

from __future__ import annotations

from microtune_convert_ray_tune.reading import read

__all__ = ["read"]
