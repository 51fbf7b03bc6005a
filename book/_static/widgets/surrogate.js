// A surrogate's width, and the weights at which a neuron gets no gradient at all.
"use strict";

(() => {
  const { range, choice, shown, points } = Widgets;
  const STEPS = 20, BETA = 0.5, THETA = 1; // chapter 2's neuron
  const DISTANCES = Array.from({ length: 241 }, (_, i) => (i - 120) / 40);
  const WEIGHTS = Array.from({ length: 101 }, (_, i) => (i - 20) / 20);

  // Each has area 1 and its peak at 1/width.
  const DERIVATIVES = {
    rectangle: (width) => (x) => (Math.abs(x) < width / 2 ? 1 / width : 0),
    triangle: (width) => (x) => Math.max(0, width - Math.abs(x)) / width ** 2,
    sigmoid: (width) => (x) => {
      const k = 4 / width, e = Math.exp(-Math.abs(k * x)); // s (1 - s), which rounds to 0 where s rounds to 1
      return k * e / (1 + e) ** 2;
    },
    atan: (width) => (x) => 1 / width / (1 + (Math.PI * x / width) ** 2),
  };

  function simulate(c) {
    const distances = [], spikes = [];
    let u = 0;
    for (let t = 0; t < STEPS; t++) {
      const h = BETA * u + c, s = h - THETA > 0 ? 1 : 0;
      distances.push(h - THETA);
      spikes.push(s);
      u = h * (1 - s);
    }
    return { distances, spikes };
  }

  /** d(firing rate)/dw of a neuron whose current is w at each step, back through time. */
  function gradient(w, g) {
    const { distances, spikes } = simulate(w);
    let delta = 0, sum = 0;
    for (let t = STEPS - 1; t >= 0; t--) {
      const a = BETA * delta; // what the next step sends back
      delta = (1 / STEPS - a * (distances[t] + THETA)) * g(distances[t]) + a * (1 - spikes[t]);
      sum += delta;
    }
    return sum;
  }

  function compute({ kind, width, w }) {
    const g = DERIVATIVES[kind](width), { distances, spikes } = simulate(w);
    return {
      derivative: DISTANCES.map(g),
      distances,
      rate: spikes.reduce((sum, s) => sum + s, 0) / STEPS,
      dead: distances.filter((x) => g(x) === 0).length,
      gradient: gradient(w, g),
      gradients: WEIGHTS.map((each) => gradient(each, g)),
    };
  }

  const near = (x) => Math.min(3, Math.max(-3, x));

  function show({ kind, width, w }, found) {
    const edge = { rectangle: width / 2, triangle: width }[kind] ?? Infinity;
    const zones = edge < 3 ? [[-3, -edge], [edge, 3]] : [];
    const size = 1.1 * Math.max(0.5, ...found.gradients), depth = 1.1 * Math.min(-0.3, ...found.gradients);
    const g = DERIVATIVES[kind](width);
    return {
      panels: [
        {
          title: `Surrogate${zones.length ? "; shaded: exactly zero" : ": tails, nowhere zero"}`,
          legend: [["a", "derivative g"], ["b", "this neuron's potentials", true]],
          x: { label: "distance to threshold u − θ", range: [-3, 3] },
          y: { label: "derivative", range: [-0.06, 1.1].map((share) => share * Math.max(1, 1 / width)) },
          marks: [...zones.map((x) => ({ kind: "band", x })),
            { kind: "line", series: "a", points: points(DISTANCES, found.derivative) },
            { kind: "dots", series: "b", points: found.distances.map((x) => [near(x), g(x)]) }],
        },
        {
          title: "Gradient of the firing rate, for every weight",
          legend: [["a", "gradient"], ["b", "this weight", true]],
          x: { label: "weight w, the current at each step", range: [-1, 4] },
          y: { label: "gradient", range: [depth, size] },
          marks: [{ kind: "rule", y: 0 }, { kind: "line", series: "a", points: points(WEIGHTS, found.gradients) },
            { kind: "dots", series: "b", points: [[w, found.gradient]] }],
        },
      ],
      said: `${found.dead} of ${STEPS} potentials lie where g is zero. `
        + `Firing rate ${shown(found.rate)}, gradient ${shown(found.gradient)}. `
        + (found.gradient === 0 ? "No learning rate moves this neuron." : "This neuron can learn."),
    };
  }

  Widgets.known.surrogate = {
    controls: [
      choice("kind", "surrogate", [["rectangle", "rectangle"], ["triangle", "triangle"], ["sigmoid", "sigmoid"],
        ["atan", "arctangent"]], "rectangle"),
      range("width", "width", 0.25, 4, 0.05, 1),
      range("w", "weight w", -1, 4, 0.05, 0.1),
    ],
    compute,
    show,
  };
})();
