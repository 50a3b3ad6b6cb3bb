"""Every limit and time-out of a session with its default, in one place. A deployment may choose others.

Times are seconds on the store's clock. Sizes are bytes of UTF-8.
"""

# Idle timeout: an unused session ends after this long.
IDLE_S = 1800
# Absolute timeout: a session ends this long after its creation or login, however much it is used.
ABSOLUTE_S = 43200
# A request that changes nothing extends the expiry at most this often.
TOUCH_AFTER_S = 60
# How long an ended key is remembered: longer than any request that may still be under way.
TOMBSTONE_S = 60
# One request waits this long for its store, everything included.
DEADLINE_S = 2.5

# A session's data as JSON text. Near this bound stores count a little differently.
MAX_BYTES = 65536
# The width of the column `user`.
MAX_USER_BYTES = 64

# Live sessions of one user; a login beyond them ends the oldest. More than a person has browsers.
SESSIONS_PER_USER = 100
# Sessions in the list of one user: all of them, unless a deployment sets no limit for a user.
MAX_LISTED = 600
# Rows that one statement ends, so that it stays far below the deadline.
MAX_ENDED_AT_ONCE = 500

# Rows per DELETE of clean, and seconds of pause after each: small enough for live traffic.
CLEAN_BATCH = 100
CLEAN_PAUSE_S = 0.05

# RFC 7493 section 2.2: beyond this, a reader that holds numbers as doubles sees another number.
MAX_INTEGER = 2**53 - 1
# Not from the RFC: MySQL stops at 100 containers, and a session needs no more than this.
MAX_DEPTH = 16

# Attempts of modify. Each failed one means that another request succeeded, so a few tabs need a few attempts.
MAX_MODIFY_ATTEMPTS = 16
