/** Draws the charts of the overview; drawn again when new numbers are there, the theme changes or the room does. */
(() => {
  const place = document.getElementById("charts");
  if (!place) return;
  const EVERY_MS = 15_000;
  const HEIGHT = 150;
  const css = (name) => {
    // A pair of colours becomes one only where it is used.
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    place.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  const seconds = (n) =>
    n == null ? "–" : n < 1 ? `${(n * 1000).toFixed(n < 0.01 ? 1 : 0)} ms` : `${n.toFixed(1)} s`;
  const plain = (n) => n == null ? "–" : n >= 100 ? Math.round(n).toLocaleString("en") : n.toFixed(1);
  const timeText = (at) => new Date(at * 1000).toISOString().slice(11, 16);
  const CHARTS = {
    throughput: {
      unit: plain,
      lines: ({ throughput: t }) => [
        ["published", t.published, "--wait"],
        ["completed", t.completed, "--good"],
        ["retried", t.retry, "--warn"],
        ["discarded", t.discarded, "--bad"],
      ],
    },
    wait: { unit: seconds, lines: ({ wait: w }) => [["p50", w.p50, "--busy"], ["p95", w.p95, "--warn"]] },
    states: {
      unit: plain,
      lines: ({ states: s }) => [
        ["waiting", s.available, "--wait"],
        ["running", s.running, "--busy"],
        ["scheduled", s.scheduled, "--off"],
        ["retryable", s.retryable, "--warn"],
      ],
    },
    slots: { unit: plain, lines: ({ slots: s }) => [["busy", s.busy, "--busy"], ["all", s.total, "--off"]] },
  };
  const drawn = new Map();
  let data = null;

  function options(chart, lines, width) {
    const [text, line] = [css("--dim"), css("--line")];
    const axis = {
      stroke: text,
      grid: { stroke: line, width: 1 },
      ticks: { stroke: line },
      font: "11px system-ui",
    };
    return {
      width,
      height: HEIGHT,
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      // UTC, as everywhere.
      axes: [{ ...axis, values: (_u, ticks) => ticks.map(timeText) }, {
        ...axis,
        size: 62,
        values: (_u, ticks) => ticks.map((tick) => chart.unit(tick)),
      }],
      series: [
        { label: "at", value: (_u, at) => at == null ? "–" : timeText(at) },
        ...lines.map(([label, , colour], i) => ({
          label,
          stroke: css(colour),
          width: 1.6,
          dash: i % 2 ? [5, 3] : undefined,
          value: (_u, n) => chart.unit(n),
          points: { show: false },
        })),
      ],
    };
  }

  function draw() {
    for (const [, chart] of drawn) chart.destroy();
    drawn.clear();
    for (const element of place.querySelectorAll("[data-chart]")) {
      const chart = CHARTS[element.dataset.chart];
      const lines = chart.lines(data);
      element.replaceChildren();
      const values = [data.at, ...lines.map(([, values]) => values)];
      const width = element.clientWidth;
      if (width === 0) continue;
      drawn.set(element, new globalThis.uPlot(options(chart, lines, width), values, element));
    }
  }

  function say(text) {
    document.getElementById("charts-said").textContent = text;
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(place.dataset.charts, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      data = await answer.json();
    } catch {
      return say("The numbers could not be had; the next try is in 15 s.");
    }
    if (!data || data.at.length === 0) {
      return say("There are no numbers yet: nodes write them down each minute.");
    }
    say(`One value for ${data.step / 60} min; the last whole one is the newest.`);
    place.classList.add("drawn");
    draw();
  }

  refresh();
  setInterval(refresh, EVERY_MS);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => data && draw());
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width || !data) return;
    width = innerWidth;
    draw();
  });
})();
