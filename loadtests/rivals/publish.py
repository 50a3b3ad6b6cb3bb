"""Takes reports/compare.json over into the repository: measured.json, a document's section and a picture.

loadtests/rivals/run publish.
"""

from __future__ import annotations

import json
import shutil

from generated import replace_section
from rivals.picture import svg
from rivals.table import DOCUMENT, MEASURED, PICTURE, REPORT, SECTION, markdown


def publish() -> None:
    if not REPORT.exists():
        raise SystemExit(f"compare: there is no {REPORT} to publish\n    run `make compare`")
    shutil.copy(REPORT, MEASURED)
    measured = json.loads(MEASURED.read_text())
    PICTURE.write_text(svg(measured))
    replace_section(DOCUMENT, SECTION, markdown(measured))


if __name__ == "__main__":
    publish()
