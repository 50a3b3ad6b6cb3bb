"""Sets the clock of this container's Python up to five days off. Python imports this at its start.

Only time.time and time.time_ns: no code here uses datetime, and a monotonic clock has no date.
"""

import socket
import time

DAY_S = 86400
_offset_s = int(socket.gethostname()[:8], 16) % (10 * DAY_S) - 5 * DAY_S
_true_time, _true_time_ns = time.time, time.time_ns

time.time = lambda: _true_time() + _offset_s
time.time_ns = lambda: _true_time_ns() + _offset_s * 10**9
