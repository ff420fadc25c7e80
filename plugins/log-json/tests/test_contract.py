from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from microtune.testing import LoggerContract


class TestContract(LoggerContract):
    plugin = "json"

    def results(self, path: Path) -> list[tuple[str, int, Any]]:
        lines = [json.loads(line) for line in (path / "events.jsonl").read_text(encoding="ascii").splitlines()]
        results = [line for line in lines if line["kind"] == "result" and not line.get("repeat")]
        return [(line["trial"], line["iteration"], line["metrics"].get("loss")) for line in results]
