"""The gates of a load test: sums in, the reasons to fail out. Pure functions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# Of all requests. A deployment that is stopped, scaled, deployed or reloaded properly has none.
MAX_FAILED_SHARE = 0.001
# Of all answers. Round robin over two servers makes half of them hops; with stickiness a run proves nothing.
MIN_HOPS_SHARE = 0.25


@dataclass
class Seen:
    """The sums of a run. p95_ms: of all requests, None without any."""

    requests: int = 0
    failed: int = 0
    p95_ms: float | None = None
    servers: Counter[str] = field(default_factory=Counter)
    hops: int = 0  # answers by another server than the visitor's last
    findings: Counter[str] = field(default_factory=Counter)  # by kind: lost, wrong
    examples: list[str] = field(default_factory=list)


def reasons_to_fail(seen: Seen, expected_servers: int, max_p95_ms: float) -> list[str]:
    """Return every reason why the run failed, none if it passed."""
    if not seen.requests:
        return ["not one request was made"]
    reasons = [f"{count} answers were {kind}" for kind, count in sorted(seen.findings.items())]
    reasons += [f"    {example}" for example in seen.examples]
    if seen.failed > seen.requests * MAX_FAILED_SHARE:
        reasons.append(f"{seen.failed} of {seen.requests} requests failed, over {MAX_FAILED_SHARE:.1%}")
    if len(seen.servers) < expected_servers:
        reasons.append(f"{len(seen.servers)} servers answered, expected {expected_servers}")
    answers = seen.servers.total()
    if expected_servers > 1 and seen.hops < answers * MIN_HOPS_SHARE:
        reasons.append(f"only {seen.hops} of {answers} answers came from another server than the last")
    if seen.p95_ms is not None and seen.p95_ms > max_p95_ms:
        reasons.append(f"p95 is {seen.p95_ms:.0f} ms, over {max_p95_ms:.0f} ms")
    return reasons
