// Four moments, a label and lambda: what SDT and TET ask of each moment.
"use strict";

(() => {
  const { range, choice, shown, points, steps } = Widgets;
  const T = 4, PHI = 1;

  const logsumexp = ([a, b]) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

  function compute({ m1, m2, m3, m4, label, lam }) {
    const y = Number(label);
    const outputs = [m1, m2, m3, m4].map((m) => [PHI + m / 2, PHI - m / 2]); // (T, classes)
    const whole = [0, 1].map((i) => mean(outputs.map((o) => o[i])));
    const loss = (o) => logsumexp(o) - o[y], sure = (o) => Math.exp(-loss(o));
    const sdt = loss(whole), tet = mean(outputs.map(loss));
    const mse = mean(outputs.flat().map((o) => (o - PHI) ** 2));
    // What lifts the label's output at each moment: -T dL/dO(t), so that T moments add up to a mean.
    const lift = outputs.map((o) => 1 - sure(o));
    return {
      sure: outputs.map(sure),
      whole: sure(whole),
      sdt,
      tet,
      total: (1 - lam) * tet + lam * mse,
      lift_sdt: outputs.map(() => 1 - sure(whole)),
      lift_tet: lift,
      lift_total: outputs.map((o, t) => (1 - lam) * lift[t] - lam * (o[y] - PHI)), // 2 / classes = 1
    };
  }

  function show(_, found) {
    const t = steps(T), axis = { label: "time step t", range: [0.5, T + 0.5] };
    const lifts = [found.lift_sdt, found.lift_tet, found.lift_total], all = lifts.flat();
    const curve = (series, values) => ({ kind: "line", series, points: points(t, values) });
    const dots = (series, values) => ({ kind: "dots", series, points: points(t, values) });
    return {
      panels: [
        {
          title: "How sure of the label",
          legend: [["a", "each moment"], ["rule", "the mean readout"]],
          x: axis,
          y: { label: "probability of the label", range: [0, 1.05] },
          marks: [{ kind: "rule", y: found.whole }, curve("a", found.sure), dots("a", found.sure)],
        },
        {
          title: "Push on the label's output",
          legend: [["a", "SDT"], ["b", "TET"], ["c", "TET with λ"]],
          x: axis,
          y: { label: "push, −T ∂L/∂O(t)", range: [Math.min(-0.1, ...all) * 1.1, Math.max(0.5, ...all) * 1.1] },
          marks: [{ kind: "rule", y: 0 }, curve("a", lifts[0]), dots("a", lifts[0]), curve("b", lifts[1]),
            dots("b", lifts[1]), curve("c", lifts[2])],
        },
      ],
      said: `SDT ${shown(found.sdt)}. TET ${shown(found.tet)}: SDT and the moments' disagreement, `
        + `${shown(Math.max(0, found.tet - found.sdt))}. With λ the total is ${shown(found.total)}.`,
    };
  }

  const margin = (t, start) => range(`m${t}`, `O(${t}), class 0 over 1`, -10, 10, 0.5, start);

  Widgets.known.moments = {
    controls: [
      margin(1, 0), margin(2, 2), margin(3, 6), margin(4, 10),
      choice("label", "label", [["0", "class 0"], ["1", "class 1"]], "0"),
      range("lam", "λ", 0, 0.2, 0.005, 0.05),
    ],
    compute,
    show,
  };
})();
