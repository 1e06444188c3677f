"""Makes the two pictures at the top of the README, from a simulated year: `pictures.py PROGRAM`.

PROGRAM: a built riftsync. The world is the same every time, and so are the pictures, but for what depends on the machine
and the moment: how long things took, and how long ago they were.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import expect

from watched import Watched

PLAYER = "Quiet Otter#SIM"
FOLDER = Path(__file__).parent.parent.parent / "src/manual/pictures"
# What GitHub shows beside its own border; two of them have to be loaded before anything is read.
VIEW = {"width": 1180, "height": 680}
BYTES_MAX = 150_000


@contextmanager
def running(*command, **options):
    """A program that says in one line of JSON that it is ready."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    try:
        yield json.loads(child.stdout.readline())
    finally:
        child.terminate()
        child.wait()


def shot(page, name):
    path = FOLDER / name
    page.evaluate("document.activeElement?.blur()")
    page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    assert size < BYTES_MAX, f"{path} has {size} bytes, and may have {BYTES_MAX}"
    print(f"{path}: {size} bytes")


def main():
    program = Path(sys.argv[1]).absolute()
    FOLDER.mkdir(exist_ok=True)
    # Its name is on the picture, so it is always the same.
    folder = Path(tempfile.gettempdir()) / "riftsync"
    folder.mkdir()
    try:
        # Limits as a key has them, so that the windows are seen filling; and a few of Riot's holes.
        simulator = [program, "simulate", "--json", "--player", PLAYER, "--platform", "euw1", "--matches", "300"]
        limits = ["--limits", "14:1,2000:120", "--port", "0"]
        with running(*simulator, *limits) as world:
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "RIOT_API_KEY": world["key"],
                "RIFTSYNC_RIOT__BASE_URL": world["base_url"],
                "RIFTSYNC_RIOT__MATCHES_KEPT_DAYS": "0",
                "RIFTSYNC_RIOT__TIMELINES_KEPT_DAYS": "0",
                "RIFTSYNC_NAMES__BASE_URL": "",
                "RIFTSYNC_PROFILE": "production",
            }
            serve = [program, "serve", "--json", "--web", "0", "--database", "sqlite://riftsync.db"]
            with running(*serve, env=environment, cwd=folder) as engine:
                take(engine["web"])
    finally:
        shutil.rmtree(folder)


def take(url):
    watched = Watched(url.split("/sign-in")[0])
    page = watched.another(viewport=VIEW).new_page()
    page.goto(url)
    page.goto(f"{watched.base}/player?riot_id={quote(PLAYER)}")
    page.get_by_label("Platform").fill("euw1")
    page.get_by_label("Year").fill("2025")
    page.get_by_role("button", name="Sync", exact=True).click()
    job = page.url
    page.goto(f"{watched.base}/")
    # Long enough under way for a line of the last minute.
    done = page.get_by_role("row").filter(has_text="match_processing").get_by_role("cell").nth(4)
    expect(done).to_have_text(re.compile("^2[7-9][0-9]$"), timeout=300_000)
    shot(page, "overview.png")
    page.goto(job)
    expect(page.locator(".say strong")).to_have_text("completed", timeout=300_000)
    page.goto(f"{watched.base}/player?riot_id={quote(PLAYER)}")
    page.get_by_role("link", name="2025", exact=True).click()
    expect(page.get_by_role("heading", name="Day by day")).to_be_visible()
    page.goto(f"{page.url}?timezone=UTC")
    page.locator("form.filter").evaluate("(form) => form.remove()")
    page.evaluate("document.querySelector('main').scrollIntoView()")
    shot(page, "year.png")
    watched.close()


main()
