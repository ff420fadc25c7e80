"""What holds for all tests of the whole house."""

from __future__ import annotations

import signal

# A process inherits what its parent ignores, and nohup or a shell's & may have had the tests ignore these.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
