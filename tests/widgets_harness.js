// Runs behind the widgets' own scripts, in tests/test_widgets.py: what they compute at many settings, what they draw
// first, what they do when a reader moves each control, and what they say when a number makes no sense.
"use strict";

window.addEventListener("load", () => {
  const found = { computed: [], start: {}, first: {}, moved: [], wrong: {}, said: {} };
  const figures = [...document.querySelectorAll("figure.widget")];
  const part = (figure, name) => figure.querySelector(name);
  let state = 1;
  const share = () => (state = state * 48271 % 2147483647) / 2147483647;

  function pick(control, at) {
    const { kind, options, low, high, step } = control;
    if (kind === "choice") return options[Math.min(options.length - 1, Math.floor(at * options.length))][0];
    return kind === "number" ? low + at * (Math.min(high, 10) - low) : low + Math.round(at * (high - low) / step) * step;
  }

  function compute(name, widget) {
    const settings = (at) => Object.fromEntries(widget.controls.map((c) => [c.name, pick(c, at())]));
    const start = Object.fromEntries(widget.controls.map((c) => [c.name, c.start]));
    found.start[name] = start;
    const steep = name === "surrogate" ? [{ ...start, kind: "sigmoid", width: 0.25, w: 4 }] : [];
    for (const values of [start, ...steep, ...[() => 0, () => 1, ...Array(18).fill(share)].map(settings)]) {
      const numbers = widget.compute(values);
      found.computed.push([name, values, numbers, widget.show(values, numbers).said]);
    }
  }

  function move(figure) {
    const name = figure.dataset.widget, { elements } = part(figure, "form");
    const seen = () => part(figure, ".panels").innerHTML + part(figure, ".seen").textContent;
    const tell = (input, value) => {
      input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    found.first[name] = part(figure, ".panels").innerHTML;
    for (const spec of Widgets.known[name].controls) {
      const input = elements[spec.name], before = seen();
      const other = spec.kind === "choice" && spec.options.find(([value]) => value !== spec.start)[0];
      tell(input, other || pick(spec, 0.7));
      found.moved.push([name, spec.name, before !== seen(), input.getAttribute("aria-valuetext")]);
    }
    for (const spec of Widgets.known[name].controls.filter((c) => c.kind === "number")) {
      tell(elements[spec.name], "-1");
      found.wrong[spec.name] = [elements[spec.name].getAttribute("aria-invalid"), part(figure, ".seen").textContent];
      tell(elements[spec.name], spec.start);
    }
    part(figure, "button").click();
  }

  function tell(answer) {
    const id = "answers", textContent = JSON.stringify(answer);
    document.body.append(Object.assign(document.createElement("pre"), { id, textContent }));
  }

  try {
    for (const [name, widget] of Object.entries(Widgets.known)) compute(name, widget);
    figures.forEach(move);
  } catch (error) {
    tell({ error: String(error.stack) });
    return;
  }
  setTimeout(() => {
    for (const figure of figures) {
      const name = figure.dataset.widget, same = part(figure, ".panels").innerHTML === found.first[name];
      found.said[name] = [part(figure, ".said").textContent, same];
    }
    tell(found);
  }, 1000);
});
