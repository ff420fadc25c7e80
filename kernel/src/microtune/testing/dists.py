"""An installed distribution, faked by two text files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def fake_dist(
    folder: Path,
    name: str,
    version: str = "1.0",
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    requires: Iterable[str] = (),
) -> Path:
    """Write `<name>-<version>.dist-info` into the folder, which is then put on sys.path; returns the dist-info.

    entry_points: {"microtune.searchers": {"random": "package:Class"}}.
    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    header = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    (info / "METADATA").write_text("\n".join(header) + "\n\nA fake.\n", encoding="utf-8")
    sections = [
        "\n".join([f"[{group}]", *(f"{point} = {value}" for point, value in points.items())])
        for group, points in (entry_points or {}).items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return info
