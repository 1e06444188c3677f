"""Somebody goes through all pages of a running engine, and does there what can be done.

`tour.py URL FOLDER`: the address that the engine told when it began, and where the pictures go. What begins with `# ` on
its output is for people. The two other lines, `kill` and `start`, are for who has the engine; the answer to each is a line.
It fails with the first thing that is not as it should be.
"""

import re
import sys
from urllib.parse import quote

from playwright.sync_api import expect

from watched import Watched, step

NAME = "Quiet Otter#SIM"
# Somebody called so is not known, and is shown all the same.
HOSTILE = "<img src=x onerror=alert(1)>\u202e\u200b#<b>"
MATCHES = 24
BROKEN = """<!doctype html><html lang=en><title>broken</title><body><main><h1>Broken</h1><p style="color:red">red</p>
<img src="http://elsewhere.example/x.png"><input><p><font color="#eeeeee">faint</font> {}</p><script>alert(1)</script></main></body>""".format(
    "x" * 400
)


def the_watch_sees_what_is_wrong(watched):
    """A page that does all that no page may: what is not seen here would not be seen elsewhere."""
    page = watched.context.new_page()
    policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'"
    headers = {"content-security-policy": policy, "content-type": "text/html"}
    page.route("**/broken", lambda route: route.fulfill(body=BROKEN, headers=headers))
    page.goto(f"{watched.base}/broken")
    watched.look(page, "broken", most=100)
    page.close()
    told = "\n".join(watched.faults)
    for expected in (
        "the policy was broken: style-src-attr",
        "the policy was broken: script-src-elem",
        "the policy was broken: img-src",
        "the console says",
        "image-alt",
        "label",
        "broken, wide, light: color-contrast",
        "broken, phone, dark: it is wider than the window",
        "and may have 100",
    ):
        assert expected in told, f"it is not seen: {expected}: {told}"
    watched.faults.clear()
    page = watched.context.new_page()
    page.route("**/*", lambda route: route.fulfill(body="<script src=http://elsewhere.example/x.js></script><script>nobody()</script>"))
    page.goto(f"{watched.base}/broken")
    page.close()
    told = "\n".join(watched.faults)
    for expected in ("somebody else is asked: http://elsewhere.example/x.js", "nobody is not defined"):
        assert expected in told, f"it is not seen: {expected}: {told}"
    watched.faults.clear()


def a_stranger_signs_in(watched, url):
    stranger = watched.another()
    page = stranger.new_page()
    with watched.allowing("401"):
        page.goto(f"{watched.base}/jobs")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        page.get_by_label("Secret").fill("this is not it at all")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("That is not it.")
        watched.look(page, "sign-in")
    page.get_by_label("Secret").fill(url.split("secret=")[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Overview · riftsync")
    stranger.close()


class Tour:
    def __init__(self, watched, url):
        self.watched = watched
        self.page = watched.context.new_page()
        self.page.goto(url)

    def open(self, path):
        self.page.goto(f"{self.watched.base}{path}")
        return self.page

    def look(self, name, path=None, **options):
        if path is not None:
            self.open(path)
        self.watched.look(self.page, name, **options)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def row(self, text):
        return self.page.get_by_role("row").filter(has_text=text)

    def title(self, text):
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def empty_pages(self):
        self.open("/jobs")
        expect(self.page.locator(".empty")).to_contain_text("Submit one")
        self.open("/players")
        expect(self.page.locator(".empty")).to_contain_text("Open a player")
        self.look("empty", "/")

    def a_sync_is_watched(self):
        """A sync that is started in the page, and its bars, to the end; nothing is loaded again by hand."""
        self.open("/")
        self.press("Pause match_processing")
        expect(self.row("match_processing").get_by_role("button")).to_have_text("Resume")
        self.open(f"/player?riot_id={quote(NAME)}")
        expect(self.page.locator(".empty")).to_contain_text("no such player yet")
        self.look("player-new")
        self.page.get_by_label("Platform").fill("euw1")
        self.page.get_by_label("Year").fill("2025")
        self.press("Sync")
        self.title(re.compile("player"))
        sync = self.page.url
        bar = self.page.get_by_role("progressbar", name=re.compile("of .* sync_match_data"))
        expect(bar).to_have_attribute("aria-label", re.compile("^0 of [1-9]"))
        self.look("job-waits")
        self.page.get_by_role("row").filter(has_text="match EUW1_").get_by_role("link").first.click()
        self.title(re.compile("match EUW1_"))
        self.page.get_by_role("navigation", name="Parents").get_by_role("link").click()
        expect(self.page).to_have_url(sync)
        # The same engine in another tab.
        overview = self.watched.context.new_page()
        overview.goto(f"{self.watched.base}/")
        done = overview.get_by_role("row").filter(has_text="match_processing").get_by_role("cell").nth(4)
        expect(done).to_have_text("0")
        self.watched.look(overview, "overview-waits")
        overview.get_by_role("button", name="Resume match_processing").click()
        expect(overview.get_by_role("button", name="Pause match_processing")).to_be_visible()
        expect(done).to_have_text(re.compile("^[1-9]"))
        expect(self.page.locator(".say strong")).to_have_text("completed")
        assert self.page.url == sync
        bar = self.page.get_by_role("progressbar", name=re.compile("of .* sync_match_data"))
        label = bar.get_attribute("aria-label")
        first, last = re.match(r"(\d+) of (\d+)", label).groups()
        assert first == last, label
        # It has heard of all of them too.
        expect(done).to_have_text(last)
        expect(overview.locator("#gone")).to_be_hidden()
        overview.close()
        self.look("job-done")

    def the_player(self):
        self.open(f"/player?riot_id={quote(NAME)}")
        self.look("player")
        self.press("Track")
        expect(self.row(NAME)).to_be_visible()
        self.open("/players")
        expect(self.row(NAME)).to_contain_text(re.compile("Riot listed 2[0-9] matches of 2025"))
        self.look("players")
        self.press("Track no more")
        expect(self.page.locator(".empty")).to_contain_text("Nobody is synced again")
        self.open(f"/player?riot_id={quote(NAME)}")
        self.page.get_by_role("link", name="2025", exact=True).click()
        expect(self.page.get_by_role("heading", name="Day by day")).to_be_visible()
        self.look("year")
        self.two_years()
        self.look("player-hostile", f"/player?riot_id={quote(HOSTILE)}")
        self.title(HOSTILE)

    def two_years(self):
        """The year beside another one, and beside somebody else's."""
        page = self.page
        year = page.url
        self.press("Compare")
        self.title(re.compile("Quiet Otter#SIM 2025 and Quiet Otter#SIM 2024"))
        self.look("compare-nothing")
        page.get_by_label("With, if it is another player").fill(HOSTILE)
        with self.watched.allowing("40[04]"):
            self.press("Compare")
            expect(page.get_by_role("alert")).to_be_visible()
            self.look("compare-nobody")
        page.goto(year)
        other = page.get_by_role("region", name=re.compile("^Played (with|against)$")).get_by_role("link").first.inner_text()
        page.get_by_label("Beside it, another player").fill(other)
        page.get_by_label("or another year").fill("2025")
        self.press("Compare")
        self.title(re.compile("and " + re.escape(other) + " 2025"))
        games = page.get_by_role("region", name="All games").get_by_role("row").filter(has_text="Games").first
        expect(games.get_by_role("cell").first).to_have_text(re.compile("^[1-9]"))
        self.look("compare")

    def jobs(self):
        page = self.page
        self.open("/")
        self.press("Pause match_processing")
        for number in range(1, 4):
            self.open("/submit?kind=sync_match_data")
            page.get_by_label("Match").fill(f"EUW1_{number}")
            self.press("Submit")
            self.title(re.compile(f"match EUW1_{number}"))
        self.look("job-open")
        self.press("Cancel this job")
        expect(page.locator(".say strong")).to_have_text("cancelled")
        self.press("Run it again")
        expect(page.locator(".say strong")).to_have_text("available")
        self.look("jobs", "/jobs")
        page.get_by_label("State").select_option("available")
        page.get_by_label("Kind").select_option("sync_match_data")
        page.get_by_label("Player, match or error").fill("euw1_")
        self.press("Show")
        expect(page.locator("tbody tr")).to_have_count(3)
        self.press("Cancel all of these …")
        self.title("Cancel 3 jobs?")
        self.look("jobs-all")
        self.press("Cancel 3 jobs")
        self.title("3 jobs are cancelled")
        self.look("jobs-all-done")
        self.open("/jobs?state=cancelled")
        self.press("Run all of these again …")
        self.title("Run 3 jobs again?")
        self.press("Run 3 jobs again")
        self.title("3 jobs run again")
        # Riot does not know them: each fails, and the overview tells it.
        self.open("/")
        self.press("Resume match_processing")
        failed = page.locator("[data-live=troubles] tbody tr")
        expect(failed).to_have_count(3)
        expect(page.locator("[data-live=engines]")).to_contain_text("leads")
        self.look("overview")
        self.open("/jobs?text=nothing+like+it")
        expect(page.locator(".empty")).to_contain_text("There is no such job")
        self.look("jobs-none")
        with self.watched.allowing("404"):
            self.look("job-unknown", "/jobs/99999")
            self.look("nowhere", "/nope")

    def every_form(self):
        self.open("/submit")
        kinds = self.page.get_by_role("navigation", name="Kinds of jobs").get_by_role("link").all_inner_texts()
        assert len(kinds) > 10, kinds
        for kind in kinds:
            self.open(f"/submit?kind={kind}")
            expect(self.page.get_by_role("button", name="Submit")).to_be_visible()
        self.look("submit", "/submit?kind=sync_ladder")
        self.open("/submit?kind=health_check")
        self.press("Submit")
        expect(self.page.locator(".say strong")).to_have_text("completed")
        with self.watched.allowing("400"):
            self.open("/submit?kind=sync_match_data")
            self.page.get_by_label("Match").fill("nonsense")
            self.press("Submit")
            expect(self.page.get_by_role("alert")).to_contain_text("nonsense")
            self.look("refused")

    def schedules(self):
        page = self.page
        self.open("/schedules")
        page.get_by_label("Name").fill("by-hand")
        page.get_by_label("When").fill("every 6h")
        page.get_by_label("Kind").select_option("health_check")
        self.press("Add")
        by_hand = page.get_by_role("row", name=re.compile("^by-hand"))
        expect(by_hand).to_be_visible()
        self.press("Run by-hand now")
        expect(page.locator(".say strong")).to_have_text("completed")
        run = re.search(r"/jobs/(\d+)", page.url).group(1)
        self.open("/schedules")
        page.get_by_role("link", name="by-hand", exact=True).click()
        expect(page.get_by_role("row", name=re.compile(f"^{run} by-hand .* completed"))).to_be_visible()
        self.look("schedules")
        self.press("Pause by-hand")
        expect(by_hand).to_contain_text("paused")
        self.press("Resume by-hand")
        expect(by_hand.get_by_role("button", name="Pause by-hand")).to_be_visible()
        self.press("Remove by-hand")
        expect(self.row("by-hand")).to_have_count(0)

    def the_engine_itself(self):
        self.open("/actors")
        stager = self.row("stager").first
        expect(stager).to_contain_text(re.compile("looked at .* ago"))
        # It looks again, and the page is told so.
        looked = stager.locator("time").first.get_attribute("datetime")
        expect(stager.locator("time").first).not_to_have_attribute("datetime", looked)
        self.look("actors")
        expect(self.row("match_processing").first).to_contain_text("up")
        self.look("log", "/log")

    def the_data(self):
        self.open("/data")
        expect(self.page.get_by_role("row").filter(has_text="timelines").first).to_contain_text("as they came")
        self.look("data")
        for count in ("Count what packing would save", "Count what deleting would take"):
            self.open("/data")
            self.press(count)
            expect(self.page.locator(".say strong")).to_have_text("completed")
            expect(self.page.locator("pre").first).to_contain_text('"dry_run": true')
        self.look("settings", "/settings")
        expect(self.row("base_url").first).to_contain_text("the environment")
        assert "RGAPI" not in self.page.content()

    def keys(self):
        page = self.open("/jobs")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator("tbody tr").first).to_be_focused()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        self.look("keys")
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type(NAME)
        page.keyboard.press("Enter")
        self.title(NAME)
        page.keyboard.press("g")
        page.keyboard.press("s")
        self.title("Schedules")

    def without_script(self):
        """The same pages, and a change, with a browser that runs no script."""
        plain = self.watched.another(java_script_enabled=False, storage_state=self.watched.context.storage_state())
        page = plain.new_page()
        for path, text in [("/", "match_processing"), ("/jobs", "sync"), ("/actors", "match_processing"), ("/log", "actor")]:
            page.goto(f"{self.watched.base}{path}")
            expect(page.locator("main")).to_contain_text(text)
        page.goto(f"{self.watched.base}/")
        page.get_by_role("button", name="Pause match_processing").click()
        page.get_by_role("button", name="Resume match_processing").click()
        expect(page.get_by_role("button", name="Pause match_processing")).to_be_visible()
        plain.close()

    def the_engine_is_killed(self):
        """The page that is open says so, and goes on by itself with the next engine; so does the page of a job."""
        page = self.open("/")
        job = self.watched.context.new_page()
        self.open("/")
        self.press("Pause match_processing")
        job.goto(f"{self.watched.base}/submit?kind=sync_match_data")
        job.get_by_label("Match").fill("EUW1_4")
        job.get_by_role("button", name="Submit", exact=True).click()
        with self.watched.allowing("ERR_|Failed to load|EventSource"):
            told("kill")
            for one in (page, job):
                expect(one.locator("#gone")).to_contain_text("The engine does not answer")
            self.watched.look(page, "engine-gone")
            told("start")
            for one in (page, job):
                expect(one.locator("#gone")).to_be_hidden()
        # It is live again: what another tab does is seen. A queue that was paused is so no more.
        expect(page.get_by_role("button", name="Pause player_sync")).to_be_visible()
        other = self.watched.context.new_page()
        other.goto(f"{self.watched.base}/")
        other.get_by_role("button", name="Pause player_sync").click()
        expect(page.get_by_role("button", name="Resume player_sync")).to_be_visible()
        expect(job.locator(".say strong")).to_have_text(re.compile("retryable|cancelled|discarded"))


def told(word):
    print(word, flush=True)
    answer = sys.stdin.readline()
    assert answer, "nobody has the engine"


def main():
    url, pictures = sys.argv[1:]
    watched = Watched(url.split("/sign-in")[0], pictures)
    with step("the watch"):
        the_watch_sees_what_is_wrong(watched)
    try:
        with step("a stranger"):
            a_stranger_signs_in(watched, url)
        tour = Tour(watched, url)
        for part in (
            tour.empty_pages,
            tour.a_sync_is_watched,
            tour.the_player,
            tour.jobs,
            tour.every_form,
            tour.schedules,
            tour.the_engine_itself,
            tour.the_data,
            tour.keys,
            tour.without_script,
            tour.the_engine_is_killed,
        ):
            with step(part.__name__.replace("_", " ")):
                part()
    finally:
        for fault in watched.faults:
            print(f"# FAULT {fault}", flush=True)
    print(f"# first paint, in ms: {watched.paints_ms}", flush=True)
    watched.close()
    if watched.faults:
        sys.exit("the pages are at fault")


main()
