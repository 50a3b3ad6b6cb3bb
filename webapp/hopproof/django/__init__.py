"""The session in Django: SESSION_ENGINE = "hopproof.django", and hopproof.django.SessionMiddleware."""

try:
    import django  # noqa: F401
except ImportError as error:
    raise ImportError(
        "hopproof.django needs Django; try: pip install 'hopproof[django]' (for a copy: pip install django)"
    ) from error

from .middleware import SessionMiddleware
from .options import Hopproof, web
from .store import SessionStore

__all__ = ["Hopproof", "SessionMiddleware", "SessionStore", "web"]

web()  # a setting that is refused stops the start
