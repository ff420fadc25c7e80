"use strict";
// Draws the figures, follows light and dark, and makes room for them on paper.
(() => {
  const PAPER = 700; // px: what A4 is wide between these margins
  const json = (id) => JSON.parse(document.getElementById(id).textContent);
  const themes = json("themes");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = () => (dark.matches ? themes.dark : themes.light);
  const figures = [...document.querySelectorAll(".figure")];
  const drawn = [];

  const draw = (div) => {
    const { data, layout } = json(div.dataset.figure);
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
    try {
      Plotly.newPlot(div, data, { ...layout, template: theme() }, config);
      drawn.push(div);
    } catch (error) {
      div.textContent = `This figure cannot be drawn: ${error.message}`;
      div.classList.add("broken");
    }
  };

  // One after the other, so that the page can be read and scrolled meanwhile.
  const next = () => {
    if (figures.length === 0) {
      document.body.dataset.figures = "drawn";
      return;
    }
    draw(figures.shift());
    setTimeout(next, 0);
  };

  dark.addEventListener("change", () => drawn.forEach((div) => Plotly.relayout(div, { template: theme() })));
  window.addEventListener("beforeprint", () => {
    figures.splice(0).forEach(draw);
    drawn.forEach((div) => Plotly.relayout(div, { template: themes.light, width: PAPER, autosize: false }));
  });
  window.addEventListener("afterprint", () => {
    drawn.forEach((div) => Plotly.relayout(div, { template: theme(), width: null, autosize: true }));
  });

  document.querySelectorAll(".code button").forEach((button) => {
    button.addEventListener("click", () => {
      const pre = button.parentElement.querySelector("pre");
      const range = document.createRange();
      range.selectNodeContents(pre);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy"); // a file: page may not use the newer one
      selection.removeAllRanges();
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  });
  setTimeout(next, 0);
})();
