// What the widgets share: controls with names, axes, and curves in the theme's colours.
// A widget is two functions of its controls' values. compute(values) gives numbers; tests hold it to what the
// library computes (book/_ext/stills.py). show(values, numbers) gives panels to draw and a sentence that says them.
"use strict";

const Widgets = (() => {
  const WIDTH = 340, HEIGHT = 236, LEFT = 46, RIGHT = 10, TOP = 42, BOTTOM = 38; // as book/_ext/panels.py
  const PLOT = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
  const QUIET = 400; // milliseconds without a change before a screen reader is told
  const known = {};

  const range = (name, label, low, high, step, start) =>
    ({ kind: "range", name, label, low, high, step, start });
  const number = (name, label, low, high, start) =>
    ({ kind: "number", name, label, low, high, step: "any", start });
  const choice = (name, label, options, start) => ({ kind: "choice", name, label, options, start });

  /** A number as a reader sees it, with so many digits that count. */
  const shown = (x, digits = 3) => String(Number(x.toPrecision(digits))).replace("-", "−");
  const points = (xs, ys) => xs.map((x, i) => [x, ys[i]]);
  const steps = (count) => Array.from({ length: count }, (_, i) => i + 1);

  function ticks([low, high]) {
    const least = (high - low) / 5, power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.999 * least);
    const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  }

  const dot = (series, x, y) => (series === "b"
    ? `<rect class="dot b" x="${x - 3.5}" y="${y - 3.5}" width="7" height="7"/>`
    : `<circle class="dot ${series}" cx="${x}" cy="${y}" r="4"/>`);

  const DRAWN = {
    line: (m, at) => `<polyline class="series ${m.series}" points="${m.points.map(at).join(" ")}"/>`,
    dots: (m, at) => m.points.map(at).map(([x, y]) => dot(m.series, x, y)).join(""),
    rule: (m, at) => {
      const [x, y] = at([m.x ?? 0, m.y ?? 0]);
      const ends = m.y === undefined
        ? `x1="${x}" x2="${x}" y1="0" y2="${PLOT.height}"` : `x1="0" x2="${PLOT.width}" y1="${y}" y2="${y}"`;
      return `<line class="rule" ${ends}/>`;
    },
    band: (m, at) => {
      const [from, to] = m.x.map((x) => at([x, 0])[0]);
      return `<rect class="band" x="${from}" y="0" width="${Math.max(0, to - from)}" height="${PLOT.height}"/>`;
    },
    strokes: (m, at) => m.x.map((x) => at([x, 0])[0])
      .map((x) => `<line class="stroke" x1="${x}" x2="${x}" y1="1" y2="11"/>`).join(""),
  };

  /** One pair of axes. spec: title, legend [[series, name, dotted]], x and y {label, range}, marks. */
  function panel({ title, legend = [], x, y, marks }) {
    const across = (v) => (v - x.range[0]) / (x.range[1] - x.range[0]) * PLOT.width;
    const down = (v) => (y.range[1] - v) / (y.range[1] - y.range[0]) * PLOT.height;
    const at = ([u, v]) => [across(u).toFixed(1), down(v).toFixed(1)].map(Number);
    const bottom = TOP + PLOT.height;
    const scale = [
      ...ticks(x.range).map((v) => `<text x="${LEFT + across(v)}" y="${bottom + 14}" class="mid">${shown(v)}</text>`),
      ...ticks(y.range).map((v) => `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" `
        + `y1="${TOP + down(v)}" y2="${TOP + down(v)}"/>`
        + `<text x="${LEFT - 5}" y="${TOP + down(v) + 3.5}" class="end">${shown(v)}</text>`),
    ];
    let left = 2;
    const key = legend.map(([series, name, dotted]) => {
      const line = dotted ? dot(series, left + 9, 27) : `<line class="series ${series}" x1="${left}" x2="${left + 18}" y1="27" y2="27"/>`;
      const said = `<text x="${left + 23}" y="31">${name}</text>`;
      left += 38 + 6.4 * name.length;
      return line + said;
    });
    return `<svg class="panel" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">`
      + `<text x="2" y="12" class="title">${title}</text>${key.join("")}${scale.join("")}`
      + `<svg x="${LEFT}" y="${TOP}" width="${PLOT.width}" height="${PLOT.height}">`
      + `${marks.map((m) => DRAWN[m.kind](m, at)).join("")}</svg>`
      + `<path class="axis" d="M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}"/>`
      + `<text x="${LEFT + PLOT.width / 2}" y="${HEIGHT - 6}" class="mid">${x.label}</text>`
      + `<text transform="translate(11 ${TOP + PLOT.height / 2}) rotate(-90)" class="mid">${y.label}</text></svg>`;
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** A control inside its label, so that it has a name, with its value beside it. */
  function control(spec) {
    const input = spec.kind === "choice"
      ? element("select", { name: spec.name }, ...spec.options.map(([value, label]) =>
        element("option", value === spec.start ? { value, selected: "" } : { value }, label)))
      : element("input", { name: spec.name, type: spec.kind, min: spec.low, max: spec.high, step: spec.step,
        value: spec.start, autocomplete: "off", inputmode: "decimal" });
    const value = element("span", { class: "value", "aria-hidden": "true" });
    const label = element("label", { class: spec.kind }, element("span", {}, spec.label), input);
    if (spec.kind === "range") label.append(value);
    const read = () => (spec.kind === "choice" ? input.value : input.value.trim() === "" ? NaN : Number(input.value));
    const refresh = () => {
      if (spec.kind === "choice") return true;
      const fits = read() >= spec.low && read() <= spec.high;
      if (spec.kind === "number") input.setAttribute("aria-invalid", String(!fits));
      else input.setAttribute("aria-valuetext", value.textContent = shown(read(), 6));
      return fits;
    };
    return { spec, label, input, read, refresh };
  }

  function start(figure) {
    const widget = known[figure.dataset.widget];
    const controls = widget.controls.map(control);
    const again = element("button", { type: "reset" }, "Start again");
    const form = element("form", { "aria-label": "Controls" }, ...controls.map((c) => c.label), again);
    const drawing = figure.querySelector(".panels"), said = figure.querySelector(".said");
    let timer;

    function draw(delay) {
      const wrong = controls.filter((c) => !c.refresh());
      let sentence = wrong.map(({ spec }) => `${spec.label}: a number from ${spec.low} to ${spec.high}.`).join(" ");
      if (!wrong.length) {
        const values = Object.fromEntries(controls.map((c) => [c.spec.name, c.read()]));
        const found = widget.show(values, widget.compute(values));
        drawing.innerHTML = found.panels.map(panel).join("");
        sentence = found.said;
      }
      figure.querySelector(".seen").textContent = sentence;
      clearTimeout(timer); // eyes see each change at once; ears hear the last one
      timer = setTimeout(() => { said.textContent = sentence; }, delay);
    }

    form.addEventListener("input", (event) => {
      const changes = widget.react?.(event.target.name, event.target.value) ?? {};
      for (const c of controls) if (c.spec.name in changes) c.input.value = changes[c.spec.name];
      draw(QUIET);
    });
    form.addEventListener("reset", () => setTimeout(() => draw(QUIET)));
    form.addEventListener("submit", (event) => event.preventDefault());
    drawing.before(form);
    draw(0);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("figure.widget").forEach(start);
  });
  return { known, range, number, choice, shown, points, steps, panel };
})();
