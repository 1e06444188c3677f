"""Chromium with a watch on it: what no page may do is written down, whichever page does it and whenever.

`look` is what every page has to pass, at both widths and in both schemes.
"""

import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from playwright.sync_api import expect, sync_playwright

# How long a state may take to come. No test waits for it that goes well.
PATIENCE_MS = 60_000
WIDTHS = {"wide": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")
# Of the text of a page, its charts among it, without its style and script.
PAGE_BYTES_MAX = 60_000
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TELL_REPORTS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`the policy was broken: ${event.violatedDirective} by ${event.blockedURI}`));
"""
# Of a page that is never painted: 0, late.
FIRST_PAINT = """new Promise((told) => {
  new PerformanceObserver((list) => list.getEntriesByName("first-contentful-paint").forEach((one) => told(one.startTime)))
    .observe({ type: "paint", buffered: true });
  setTimeout(() => told(0), 5000);
})"""
RUN_AXE = "axe.run(document, { resultTypes: ['violations'], preload: false }).then((told) => told.violations.map((one) => \
`${one.id}: ${one.help}: ${one.nodes.map((node) => node.html.slice(0, 200)).slice(0, 3).join(' | ')}`))"
WIDER_THAN_THE_WINDOW = """(() => {
  const across = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= across) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((one) =>
    !one.closest(".wide, pre, svg") && one.getBoundingClientRect().left + one.scrollWidth > across + 1);
  return [wide.map((one) => one.outerHTML.slice(0, 120)).slice(-3).join(" | ")];
})()"""


class Watched:
    """One browser, one person."""

    def __init__(self, base, pictures=None):
        self.base = base
        self.host = urlsplit(base).netloc
        self.pictures = pictures
        self.faults = []
        self.allowed = None
        self.paints_ms = {}
        self._playwright = sync_playwright().start()
        # Debian's. The sandbox needs rights that a container may not give, and all that is opened here is our own.
        self.chromium = self._playwright.chromium.launch(
            executable_path=os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb"],
        )
        expect.set_options(timeout=PATIENCE_MS)
        self.context = self.another()

    def another(self, **options):
        """Somebody else: no cookie, and the same watch."""
        options = {"viewport": dict(zip(("width", "height"), WIDTHS["wide"])), "reduced_motion": "reduce", **options}
        context = self.chromium.new_context(timezone_id="Asia/Seoul", locale="en-GB", **options)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(TELL_REPORTS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.fault(f"an error of the script: {error.error}"))
        context.on("request", self._request)
        return context

    def close(self):
        self.chromium.close()
        self._playwright.stop()

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.fault(f"the console says: {message.text} ({message.location.get('url', '')})")

    def _request(self, request):
        place = urlsplit(request.url)
        if place.netloc != self.host and place.scheme not in ("data", "blob"):
            self.fault(f"somebody else is asked: {request.url}")

    def fault(self, text):
        if not (self.allowed and re.search(self.allowed, text)):
            self.faults.append(text)

    @contextmanager
    def allowing(self, pattern):
        """What is wanted to fail is no fault."""
        self.allowed = pattern
        try:
            yield
        finally:
            self.allowed = None

    def look(self, page, name, most=PAGE_BYTES_MAX):
        """The page that is open, as everybody sees it."""
        self.paints_ms[name] = round(page.evaluate(FIRST_PAINT))
        size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
        if size >= most:
            self.fault(f"{name} has {size} bytes, and may have {most}")
        page.evaluate(AXE)
        for width, (across, down) in WIDTHS.items():
            page.set_viewport_size({"width": across, "height": down})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                view = f"{name}, {width}, {scheme}"
                for told in page.evaluate(RUN_AXE):
                    self.fault(f"{view}: {told}")
                for told in page.evaluate(WIDER_THAN_THE_WINDOW):
                    self.fault(f"{view}: it is wider than the window: {told}")
                if self.pictures:
                    path = Path(self.pictures) / f"{name}-{width}-{scheme}.png"
                    page.screenshot(path=path, full_page=True)
        page.set_viewport_size(dict(zip(("width", "height"), WIDTHS["wide"])))
        page.emulate_media(color_scheme="light")


@contextmanager
def step(name):
    """Says what is done and how long it took: what is read when it fails."""
    began = time.monotonic()
    print(f"# {name}", flush=True)
    yield
    print(f"# {name}: {time.monotonic() - began:.1f} s", flush=True)
