// A leaky integrate-and-fire neuron under a constant current: its trace and its f-I curve.
"use strict";

(() => {
  const { range, choice, shown, points, steps } = Widgets;
  const STEPS = 30, LONG = 200, CURRENTS = Array.from({ length: 151 }, (_, i) => i * 0.01);

  function simulate(c, beta, theta, hard, count) {
    const before = [], after = [], spikes = [];
    let u = 0;
    for (let t = 0; t < count; t++) {
      u = beta * u + c; // charge and leak
      const s = u - theta >= 0 ? 1 : 0; // fire
      before.push(u);
      u = hard ? u * (1 - s) : u - theta * s; // reset
      after.push(u);
      spikes.push(s);
    }
    return { before, after, spikes };
  }

  const rate = (spikes) => spikes.reduce((sum, s) => sum + s, 0) / spikes.length;

  function compute({ c, beta, theta, reset }) {
    const run = (current, count) => simulate(current, beta, theta, reset === "hard", count);
    return {
      ...run(c, STEPS),
      rate: rate(run(c, LONG).spikes),
      rates: CURRENTS.map((current) => rate(run(current, LONG).spikes)),
      weakest: theta * (1 - beta),
    };
  }

  function show({ c, theta }, { before, after, spikes, rate, rates, weakest }) {
    const t = steps(STEPS);
    const climb = [[0, 0], ...t.flatMap((step, i) => [[step, before[i]], [step, after[i]]])];
    const top = 1.2 * Math.max(theta, ...before);
    const fired = t.filter((_, i) => spikes[i]);
    return {
      panels: [
        {
          title: "Membrane potential; strokes are spikes",
          legend: [["a", "potential u"], ["rule", "threshold θ"]],
          x: { label: "time step t", range: [0, STEPS + 1] },
          y: { label: "potential u", range: [Math.min(0, ...after), top] },
          marks: [{ kind: "rule", y: theta }, { kind: "line", series: "a", points: climb },
            { kind: "strokes", x: fired }],
        },
        {
          title: "f-I curve: how often, for every current",
          legend: [["b", "this current", true], ["rule", "θ (1 − β)"]],
          x: { label: "constant current c", range: [0, 1.5] },
          y: { label: "spikes a step", range: [0, 1.1] },
          marks: [{ kind: "rule", x: weakest }, { kind: "line", series: "a", points: points(CURRENTS, rates) },
            { kind: "dots", series: "b", points: [[c, rate]] }],
        },
      ],
      said: `${shown(rate)} spikes a step over ${LONG} steps; `
        + (fired.length ? `the first at step ${fired[0]}. ` : `none in the first ${STEPS}. `)
        + `No current up to θ (1 − β) = ${shown(weakest)} fires on paper.`,
    };
  }

  Widgets.known.neuron = {
    controls: [
      range("c", "current c", 0, 1.5, 0.01, 0.4),
      range("beta", "decay β", 0.01, 1, 0.01, 0.25),
      range("theta", "threshold θ", 0.1, 1.5, 0.05, 0.5),
      choice("reset", "reset", [["hard", "hard: to 0"], ["soft", "soft: minus θ"]], "hard"),
    ],
    compute,
    show,
  };
})();
