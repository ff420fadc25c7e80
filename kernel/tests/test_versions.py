from __future__ import annotations

import pytest

from microtune.versions import allows


@pytest.mark.parametrize(
    ("specifiers", "version", "admitted"),
    [
        ("", "0.1.0", True),
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1,<0.2", "0.1.17", True),
        (">=0.1,<0.2", "0.2.0", False),
        (">=0.1,<0.2", "0.2.0rc1", False),
        (">=0.1,<0.2", "0.0.9", False),
        (">=0.1 , <0.2", "0.1.5.post1", True),
        ("<0.2rc2", "0.2rc1", True),
        (">0.1", "0.1.0", False),
        (">0.1", "0.10.0", True),
        ("<=1", "1.0.0", True),
        ("==0.1", "0.1.0", True),
        ("==0.1.*", "0.1.7", True),
        ("==0.1.*", "0.10.7", False),
        ("!=0.1.*", "0.1.7", False),
        ("!=0.1.3", "0.1.2", True),
        ("~=0.1.2", "0.1.9", True),
        ("~=0.1.2", "0.2.0", False),
        ("~=0.1.2", "0.1.1", False),
        ("~=0.1", "0.9", True),
        ("===0.1", "0.1.0", False),
        (">=0.1.0a1", "0.1.0", True),
        (">=0.1.0", "0.1.0.dev3", False),
        ("<0.2", "0.1.0+local", True),
        ("nonsense", "0.1.0", True),
        (">=nonsense", "0.1.0", True),
    ],
)
def test_a_version_is_admitted_as_pip_would(specifiers: str, version: str, admitted: bool) -> None:
    assert allows(specifiers, version) is admitted
