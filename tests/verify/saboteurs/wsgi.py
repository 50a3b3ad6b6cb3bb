"""Composition root of a sabotaged web server: the real one, put together from a broken part."""

from .handlers import sabotage

sabotage()

from wsgi import application  # noqa: E402, F401
