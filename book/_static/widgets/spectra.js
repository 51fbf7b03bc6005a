// Two 2x2 weights with shared singular vectors and a spectrum each: a circle becomes two ellipses.
"use strict";

(() => {
  const { range, shown } = Widgets;

  const turned = (degrees) => {
    const x = degrees * Math.PI / 180;
    return [[Math.cos(x), Math.sin(x)], [-Math.sin(x), Math.cos(x)]]; // two unit vectors, as rows
  };

  /** sum_i sigma_i u_i v_i^T, [out, in] */
  const composed = (u, sigma, v) => [0, 1].map((out) => [0, 1].map((into) =>
    u[0][out] * sigma[0] * v[0][into] + u[1][out] * sigma[1] * v[1][into]));

  function compute({ ann1, ann2, snn1, snn2, u, v }) {
    const ann = composed(turned(u), [ann1, ann2], turned(v));
    const snn = composed(turned(u), [snn1, snn2], turned(v));
    const dot = (x, y) => x.flat().reduce((sum, each, i) => sum + each * y.flat()[i], 0);
    const length = Math.sqrt(dot(ann, ann) * dot(snn, snn));
    return { ann, snn, cosine: length > 0 ? dot(ann, snn) / length : null };
  }

  const times = (w, [x, y]) => [w[0][0] * x + w[0][1] * y, w[1][0] * x + w[1][1] * y];
  const CIRCLE = Array.from({ length: 121 }, (_, i) => [Math.cos(i * Math.PI / 60), Math.sin(i * Math.PI / 60)]);
  const square = (label) => ({ x: { label: `${label} 1`, range: [-4, 4] }, y: { label: `${label} 2`, range: [-2.2, 2.2] } });
  const through = ([x, y]) => [[-5 * x, -5 * y], [5 * x, 5 * y]];

  function show(values, { ann, snn, cosine }) {
    const us = turned(values.u), vs = turned(values.v);
    const axes = (pair) => pair.map((e) => ({ kind: "line", series: "rule", points: through(e) }));
    const shape = (series, w) => [{ kind: "line", series, points: CIRCLE.map((p) => times(w, p)) },
      { kind: "dots", series, points: [times(w, vs[0])] }];
    return {
      panels: [
        {
          title: "In: the unit circle, v₁ marked",
          legend: [["c", "inputs"], ["rule", "directions v₁, v₂"]],
          ...square("input"),
          marks: [...axes(vs), { kind: "line", series: "c", points: CIRCLE },
            { kind: "dots", series: "c", points: [vs[0]] }],
        },
        {
          title: "Out: what each makes of it",
          legend: [["a", "ANN"], ["b", "SNN"], ["rule", "u₁, u₂"]],
          ...square("output"),
          marks: [...axes(us), ...shape("a", ann), ...shape("b", snn)],
        },
      ],
      said: (cosine === null ? "A weight of zeros has no direction. "
        : `Cosine of the two weights: ${shown(cosine)}. `)
        + `ANN [${ann.flat().map((x) => shown(x, 2)).join(", ")}], SNN [${snn.flat().map((x) => shown(x, 2)).join(", ")}].`,
    };
  }

  const sigma = (who, i, start) => range(`${who}${i}`, `σ${"₁₂"[i - 1]} of the ${who.toUpperCase()}`, -1, 2, 0.05, start);

  Widgets.known.spectra = {
    controls: [
      sigma("ann", 1, 1.5), sigma("ann", 2, 0.5), sigma("snn", 1, 1), sigma("snn", 2, 0.8),
      range("u", "u turned by, degrees", -90, 90, 5, 30),
      range("v", "v turned by, degrees", -90, 90, 5, -20),
    ],
    compute,
    show,
  };
})();
