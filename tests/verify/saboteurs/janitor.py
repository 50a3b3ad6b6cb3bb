"""The janitor with a broken part."""

from .handlers import sabotage

sabotage()

import janitor  # noqa: E402

janitor.main()
