// What one inference costs: counts times prices that the reader can change.
"use strict";

(() => {
  const { range, number, choice, shown, points, steps } = Widgets;
  const LONGEST = 16;
  const PRICES = { // accumulate, multiply-accumulate, in picojoules
    "45nm-32": [0.9, 4.6],
    "45nm-8": [0.1, 0.3],
    "7nm-32": [0.38, 1.69],
  };

  const microjoules = (ac, mac, accumulates, multiplyAccumulates) =>
    (ac * accumulates + mac * multiplyAccumulates) * 1e-12 * 1e6;

  function compute({ ac, mac, T, r, a, layers, stem }) {
    const snn = (count) => microjoules(ac, mac, count * r * layers * 1e6, stem * 1e6);
    return {
      snn: snn(T),
      ann: microjoules(ac, mac, 0, (stem + a * layers) * 1e6),
      by_steps: steps(LONGEST).map(snn),
      break_even: a * mac / (T * ac),
    };
  }

  function show({ T, r, a, ac, mac }, found) {
    const t = steps(LONGEST), level = t.map(() => found.ann);
    const limits = t.map((count) => Math.min(1, a * mac / (count * ac)));
    const axis = { label: "time steps T", range: [0.5, LONGEST + 0.5] };
    const ratio = found.snn / found.ann;
    return {
      panels: [
        {
          title: "Energy of one inference",
          legend: [["a", "ANN"], ["b", "SNN"]],
          x: axis,
          y: { label: "µJ", range: [0, 1.1 * Math.max(found.ann, ...found.by_steps)] },
          marks: [{ kind: "line", series: "a", points: points(t, level) },
            { kind: "line", series: "b", points: points(t, found.by_steps) },
            { kind: "dots", series: "b", points: [[T, found.snn]] }],
        },
        {
          title: "Below the curve a spiking layer is cheaper",
          legend: [["a", "break-even rate r*"], ["b", "this network", true]],
          x: axis,
          y: { label: "share that fires in a step", range: [0, 1.1] },
          marks: [{ kind: "line", series: "a", points: points(t, limits) },
            { kind: "dots", series: "b", points: [[T, r]] }],
        },
      ],
      said: `ANN ${shown(found.ann)} µJ, SNN ${shown(found.snn)} µJ: ${shown(ratio)} times the ANN's. `
        + (found.break_even >= 1 ? "At this T no firing rate makes a spiking layer dearer."
          : `A spiking layer is cheaper below r* = ${shown(found.break_even)}.`),
    };
  }

  Widgets.known.energy = {
    controls: [
      choice("prices", "prices", [["45nm-32", "45 nm, 32 bits"], ["45nm-8", "45 nm, 8 bits"],
        ["7nm-32", "7 nm, 32 bits"], ["own", "your own"]], "45nm-32"),
      number("ac", "an accumulate, pJ", 0.001, 1000, 0.9),
      number("mac", "a multiply-accumulate, pJ", 0.001, 1000, 4.6),
      range("T", "time steps T", 1, LONGEST, 1, 4),
      range("r", "r, share that fires a step", 0.01, 1, 0.01, 0.4),
      range("a", "a, share the ANN uses", 0.05, 1, 0.05, 1),
      number("layers", "million operations, layers", 0.001, 100000, 1),
      number("stem", "million operations, stem", 0, 100000, 0.1),
    ],
    react(name, value) {
      if (name === "ac" || name === "mac") return { prices: "own" };
      return name === "prices" && PRICES[value] ? { ac: PRICES[value][0], mac: PRICES[value][1] } : {};
    },
    compute,
    show,
  };
})();
