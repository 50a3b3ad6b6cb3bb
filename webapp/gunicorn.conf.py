"""The process model of one container."""

import math
import os
import signal
from types import FrameType

from config import DRAINING, read_config

# Read here as well, so that a bad setting stops the container once and not each of its workers for ever.
settings = read_config(os.environ)

bind = "0.0.0.0:8000"
# Never cpu_count(): in a container that is the host's, and the capacity sum needs a number that is known.
workers = settings.web_workers
# Requests/s of a route without a session / with one read, medians of 4 interleaved rounds, one worker:
# gevent 3,640 / 800, gthread with 16 threads 2,130 / 720. (gunicorn_h1c, the HTTP parser in C, brings gevent
# to 4,670 / 990, but has no wheel: it would need a compiler in the image.)
worker_class = "gevent"
# Above the balancer's maxconn per server, so that the queue is in the balancer, where it can go elsewhere.
worker_connections = 1000
# The balancer decides what is too long; up to there a cookie is just not ours.
limit_request_field_size = 65536
# The default, /tmp, can be a disk: a stalled disk would look like a hung worker.
worker_tmp_dir = "/dev/shm"
# Nobody uses it, and it fails on a read-only root.
control_socket_disable = True
# What a request may wait for its store, and air. drain_s and this fit in Compose's stop_grace_period.
graceful_timeout = math.ceil(settings.store_deadline_s) + 1
# Trust in X-Forwarded-* is a matter of the app, and it has none.
forwarded_allow_ips = ""
accesslog = None  # the balancer logs every request, with the server that answered

# Seconds from "not ready" to "not listening": the balancer asks once a second and takes one
# 404 for an answer; the rest is for a busy machine.
drain_s = 2.5


def on_starting(server) -> None:
    DRAINING.unlink(missing_ok=True)


def when_ready(server) -> None:
    """Put a pause between SIGTERM and the stop.

    gunicorn closes its listener the moment it is told to stop, while the balancer still
    sends: without the pause every `docker stop` costs a few visitors an error.
    """

    def drain(signum: int, frame: FrameType | None) -> None:
        DRAINING.touch()
        signal.signal(signal.SIGALRM, lambda *_: server.signal(signal.SIGTERM, None))
        signal.setitimer(signal.ITIMER_REAL, drain_s)

    signal.signal(signal.SIGTERM, drain)
