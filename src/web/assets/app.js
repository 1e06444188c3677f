// Makes the pages live. Everything works without it, by loading the page again.
const base = document.body.dataset.base;
const gone = document.getElementById("gone");
const inZone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// Times: as ages while they are young, in the reader's zone always.
function age(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, "s"];
  const text = `${Math.floor(seconds / size)} ${unit}`;
  return ms >= 0 ? `${text} ago` : `in ${text}`;
}

function showTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const ms = Date.now() - at;
    const text = Math.abs(ms) < 7 * 86400e3 ? age(ms) : inZone.format(at);
    if (time.textContent !== text) time.textContent = text;
    time.title = inZone.format(at);
  }
}

// What a person holds is not taken from under their hands: focus goes back to the same control.
function replace(element, html) {
  const held = document.activeElement;
  const inside = held && held !== element && element.contains(held);
  const row = inside ? [...element.querySelectorAll("tbody tr")].indexOf(held.closest("tr")) : -1;
  const label = inside ? held.getAttribute("aria-label") ?? held.getAttribute("href") : null;
  element.innerHTML = html;
  showTimes(element);
  rows();
  if (!inside) return;
  const again = label && [...element.querySelectorAll("button, a")].find(
    (one) => (one.getAttribute("aria-label") ?? one.getAttribute("href")) === label);
  const place = again || element.querySelectorAll("tbody tr")[row];
  place?.focus({ preventScroll: true });
}

function say(text) {
  gone.textContent = text;
  gone.hidden = !text;
}

// Parts that the server tells of.
const parts = [...document.querySelectorAll("[data-live]")];
if (parts.length) {
  const names = parts.map((part) => part.dataset.live).join(",");
  let missed = false;
  const listen = () => {
    const source = new EventSource(`${base}/live?parts=${names}`);
    source.addEventListener("parts", (event) => {
      missed = false;
      say("");
      for (const { name, html } of JSON.parse(event.data))
        for (const part of parts) if (part.dataset.live === name) replace(part, html);
    });
    source.addEventListener("error", () => {
      if (!missed) say("The engine does not answer. This page goes on by itself when it does.");
      missed = true;
      // A browser gives up where it was answered with an error.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
    });
  };
  listen();
}

// Parts that are asked for again.
for (const part of document.querySelectorAll("[data-again]")) {
  const again = async () => {
    let next = part;
    try {
      const page = await fetch(location.href, { headers: { accept: "text/html" } });
      const text = new DOMParser().parseFromString(await page.text(), "text/html");
      next = text.getElementById(part.id);
      say("");
      // It has ended: the rest of the page is another.
      if (page.ok && !next) return location.reload();
      if (next) replace(part, next.innerHTML);
    } catch {
      say("The engine does not answer. This page goes on by itself when it does.");
    }
    setTimeout(again, Number(part.dataset.again));
  };
  setTimeout(again, Number(part.dataset.again));
}

// Keys.
function rows() {
  const all = [...document.querySelectorAll("tbody tr")].filter((row) => row.querySelector("a"));
  for (const row of all) row.tabIndex = -1;
  // Who has no mouse scrolls them with keys.
  for (const wide of document.querySelectorAll(".wide, pre")) wide.tabIndex = 0;
  return all;
}

const pages = { o: "", j: "jobs", p: "players", a: "actors", s: "schedules", d: "data", c: "settings", l: "log" };
let go = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  const key = event.key;
  if (go && key in pages) location.href = `${base}/${pages[key]}`;
  const goes = go;
  go = !go && key === "g";
  if (goes) return;
  if (key === "/") {
    document.querySelector("header input")?.focus();
    event.preventDefault();
  } else if (key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (key === "j" || key === "k") {
    const all = rows();
    const at = all.indexOf(document.activeElement.closest("tr"));
    all[Math.max(0, Math.min(all.length - 1, at + (key === "j" ? 1 : -1)))]?.focus();
  } else if (key === "Enter" && event.target.matches("tr")) {
    event.target.querySelector("a")?.click();
  }
});

rows();
showTimes(document);
setInterval(() => showTimes(document), 1000);
