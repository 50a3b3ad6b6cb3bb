"""The process model of one container."""

import math
import os
import signal
import time
from types import FrameType

from config import DRAINING, read_config

# Read here as well, so that a bad setting stops the container once and not each of its workers for ever.
settings = read_config(os.environ)

bind = "0.0.0.0:8000"
# Never cpu_count(): in a container that is the host's, and infra/capacity needs a known number.
workers = settings.web_workers
# Requests/s of a route without a session / with one read, medians of 4 interleaved rounds, one worker:
# gevent 3,640 / 800, gthread with 16 threads 2,130 / 720. (gunicorn_h1c, the HTTP parser in C, brings 4 %
# of CPU, has no wheel, and would need a compiler in the image.)
worker_class = "gevent"
# Above the balancer's maxconn per server, so that the queue is in the balancer, where it can go elsewhere.
worker_connections = 1000
# Seconds that an idle connection stays. The balancer closes unused ones within seconds, and has to be first.
keepalive = 3600
# The balancer decides which request is too long. Up to its limit a long cookie is just not ours.
limit_request_field_size = 65536
# The default, /tmp, can be a disk: a stalled disk would look like a hung worker.
worker_tmp_dir = "/dev/shm"
# Unused here, and it fails on a read-only root.
control_socket_disable = True
# The longest wait of a request for its store, and a margin. If the cache is away, a write also waits for the
# other servers. The longest drain and this fit in the stop_grace_period.
graceful_timeout = math.ceil(settings.store_deadline_s) + (1 if settings.cache == "none" else 3)
# Only the app could trust X-Forwarded-*, and it does not.
forwarded_allow_ips = ""
accesslog = None  # the balancer logs every request, with the server that answered

# The balancer asks once a second whether this server is ready. When it asks for the third time, it has dealt
# with two answers that were 404 or too late, so it sends nothing new. This holds on a busy machine, too.
last_check = 3
# Seconds without a question after which no balancer is assumed. So a drain takes 2 to 3 s, and 9 s at most.
unasked_s = 3


def on_starting(server) -> None:
    DRAINING.unlink(missing_ok=True)


def when_ready(server) -> None:
    """Put a pause between SIGTERM and the stop.

    gunicorn closes its listener the moment it is told to stop, while the balancer still
    sends: without the pause every `docker stop` costs a few visitors an error.
    """

    checks, asked_at = 0, 0.0

    def drain(signum: int, frame: FrameType | None) -> None:
        nonlocal asked_at
        DRAINING.touch()
        asked_at = time.monotonic()
        signal.signal(signal.SIGALRM, stop_when_drained)
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)

    def stop_when_drained(signum: int, frame: FrameType | None) -> None:
        nonlocal checks, asked_at
        if DRAINING.stat().st_size > checks:
            checks, asked_at = DRAINING.stat().st_size, time.monotonic()
        if checks >= last_check or time.monotonic() > asked_at + unasked_s:
            signal.setitimer(signal.ITIMER_REAL, 0)
            server.signal(signal.SIGTERM, None)

    signal.signal(signal.SIGTERM, drain)


def post_request(worker, req, environ, resp) -> None:
    """Leave a byte in DRAINING for each "not ready" that the balancer got, from any worker."""
    is_balancers = req.path == "/readyz" and environ["REMOTE_ADDR"] != "127.0.0.1"
    if is_balancers and resp is not None and resp.status_code == 404:
        with DRAINING.open("ab") as checks:
            checks.write(b".")
