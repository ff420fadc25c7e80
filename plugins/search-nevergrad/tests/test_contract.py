from __future__ import annotations

from microtune.testing import SearcherContract


class TestContract(SearcherContract):
    """With a budget of its own, since an extended run is another run to an optimiser that plans for num_samples."""

    plugin = "nevergrad"
    options = {"budget": 12}
    learns = True
