/** What the dashboard does in a browser besides what it does without a script: it stays fresh, and it listens to keys. */
(() => {
  const { body } = document;
  const $ = (id) => document.getElementById(id);
  /** Milliseconds without news after which one is told, and after which the stream is taken for lost. */
  const [OLD_MS, LOST_MS] = [2_500, 6_000];
  const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000];

  /** By this clock: when what one sees was so, and what the server's clock said then. */
  let seenAt = performance.now();
  let serverNow = Date.parse(body.dataset.now) || Date.now();
  let heardAt = performance.now();
  let failure = null;
  let connected = false;
  let tries = 0;
  let said = "";

  const say = (text) => {
    if (text === said) return;
    said = text;
    $("said").textContent = text;
  };

  function ageText(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    const [big, small, units] = seconds < 3600
      ? [60, 1, ["min", "s"]]
      : seconds < 86400
      ? [3600, 60, ["h", "min"]]
      : [86400, 3600, ["d", "h"]];
    const parts = [Math.floor(seconds / big), Math.floor((seconds % big) / small)];
    return parts[1] === 0 ? `${parts[0]} ${units[0]}` : `${parts[0]} ${units[0]} ${parts[1]} ${units[1]}`;
  }

  /** Times go on between two messages. */
  function passTime() {
    const now = serverNow + performance.now() - seenAt;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = (now - Date.parse(time.dateTime)) / 1000;
      const text = seconds < 0 ? `in ${ageText(-seconds)}` : ageText(seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function showAge() {
    const fresh = $("fresh");
    const silent = performance.now() - heardAt;
    const age = performance.now() - seenAt;
    const lost = !connected || silent > LOST_MS;
    const seconds = `${(age / 1000).toFixed(1)} s`;
    fresh.className = `fresh ${lost ? "lost" : age > OLD_MS || failure ? "old" : "live"}`;
    $("fresh-text").textContent = lost ? `stream lost, ${ageText(age / 1000)} old` : `live, ${seconds} old`;
    fresh.title = failure ?? "How old what you see is";
    if (lost && tries > 0) say("The stream was lost: what you see is old. It is being connected again.");
    else if (failure) say(`What you see is old: ${failure}`);
    else if (connected && said !== "") say("The stream is there again.");
  }

  function take({ now, age, sections, failure: why }) {
    heardAt = performance.now();
    failure = why;
    if (now && !why) {
      seenAt = heardAt - age;
      serverNow = Date.parse(now);
    }
    for (const [id, html] of Object.entries(sections)) {
      const section = $(id);
      if (section) globalThis.dashboardMorph(section, html);
    }
    passTime();
  }

  let source = null;
  function connect() {
    source = new EventSource(body.dataset.live);
    source.onopen = () => {
      connected = true;
      tries = 0;
      heardAt = performance.now();
    };
    source.addEventListener("page", (event) => take(JSON.parse(event.data)));
    source.onerror = again;
  }

  function again() {
    source?.close();
    source = null;
    if (connected) heardAt = performance.now();
    connected = false;
    const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
    setTimeout(connect, wait * (0.8 + Math.random() * 0.4));
  }

  if (body.dataset.live) {
    connect();
    // Nobody looks at a hidden page.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        source?.close();
        source = null;
      } else if (!source) connect();
    });
    setInterval(() => {
      if (document.hidden) return;
      // Half-open: no error comes, and no news.
      if (connected && performance.now() - heardAt > LOST_MS) again();
      showAge();
    }, 200);
    setInterval(passTime, 1_000);
  }

  // All on this page.
  document.addEventListener("change", ({ target }) => {
    if (!target.matches?.("[data-all]")) return;
    for (const box of target.form.querySelectorAll('input[name="uuid"]')) box.checked = target.checked;
  });

  // Keys.
  const isTyping = ({ target }) =>
    target.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  let prefix = -Infinity;

  function move(step) {
    const rows = [...document.querySelectorAll("main tbody tr")];
    if (rows.length === 0) return;
    const here = rows.findIndex((row) => row.classList.contains("here"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, here < 0 ? 0 : here + step))];
    rows[here]?.classList.remove("here");
    next.classList.add("here");
    (next.querySelector("a") ?? next).focus();
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches?.("input[type=search]")) event.target.blur();
    if (body.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) {
      return;
    }
    const wasPrefix = performance.now() - prefix < 1_500;
    prefix = -Infinity;
    if (wasPrefix) {
      const link = document.querySelector(`nav [data-go="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      return;
    }
    if (event.key === "g") prefix = performance.now();
    else if (event.key === "/") {
      event.preventDefault();
      const box = document.querySelector("[data-search]") ?? $("find");
      box.focus();
      box.select();
    } else if (event.key === "?") $("help").showModal();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
  });
  $("help-link").addEventListener("click", (event) => {
    event.preventDefault();
    $("help").showModal();
  });

  // On a narrow screen the pages are a line that scrolls: the one that is shown should be seen in it.
  const here = document.querySelector("nav a[aria-current]");
  const line = here?.closest("nav");
  if (line) line.scrollLeft += here.getBoundingClientRect().left - (line.clientWidth - here.offsetWidth) / 2;
})();
