"""Photographs the page after some hops, with a list of sessions, in light and in dark."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import FloatRect
from window import ROOT, Window, chromium

from verify.deployment import Deployment

PICTURES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Pixels: as wide as a README's column, and sharper than it on a dense screen.
WIDTH, MARGIN, DENSITY = 960, 32, 1.2
# Each new picture stays in the Git history.
MAX_BYTES = 150_000


def main() -> None:
    run = os.environ["HOPPROOF_TEST_RUN"]
    with tempfile.TemporaryDirectory() as folder, Deployment(Path(folder), run) as deployment:
        photograph(deployment)


def photograph(deployment: Deployment) -> None:
    deployment.visitor().login("Ada")
    with chromium() as browser:
        window = Window.of(
            browser, deployment.url, viewport={"width": WIDTH, "height": WIDTH}, device_scale_factor=DENSITY
        )
        window.log_in("Ada")
        for tea in ("Assam", "Assam", "Earl Grey"):
            window.click(f"Add one {tea}")
        window.visit()  # from the top: after a click it shows the cart
        # Down to the end of the list of sessions. The rest of the page is no use in a picture.
        sessions = window.page.locator("#you").bounding_box()
        assert sessions is not None
        height = sessions["y"] + sessions["height"] + MARGIN
        for scheme in PICTURES:
            window.page.emulate_media(color_scheme=scheme)
            picture = ROOT / "docs" / f"page-{scheme}.png"
            clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": height}
            size = len(window.page.screenshot(path=picture, full_page=True, clip=clip))
            print(f"{picture.relative_to(ROOT)}: {size / 1000:.0f} kB")
            assert size <= MAX_BYTES, f"{picture} is larger than {MAX_BYTES} bytes"
        window.close()


if __name__ == "__main__":
    main()
