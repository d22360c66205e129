// Each chart is drawn from the table beneath it: the same numbers, leading to the same lists.
"use strict";
(() => {
  const drawn = [];
  const ON_PAPER = 640; // A4 between its margins

  // What a table says: names, columns, and cells with their numbers and links.
  const said = (table) => ({
    columns: [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent),
    names: [...table.tBodies[0].rows].map((row) => row.cells[0].textContent),
    cells: [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1)),
  });
  const number = (cell) => { // a number that is drawn as it is printed is said once; “—” is none
    const value = Number(cell.dataset.value ?? cell.textContent);
    return Number.isFinite(value) ? value : null;
  };

  const palette = (isPrinted) => {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    if (isPrinted) return { ink: "#000", soft: "#333", line: "#999", sheet: "#fff", series: ["#333", "#777", "#aaa", "#555"] };
    return {
      ink: token("--ink"), soft: token("--soft"), line: token("--line"), sheet: token("--sheet"),
      series: [token("--accent"), token("--good"), token("--warn"), token("--soft")],
    };
  };

  const option = (shape, data, colours) => {
    const isLying = shape === "lying";
    const isLine = shape === "line";
    const names = { type: "category", data: data.names, inverse: isLying, axisLabel: { color: colours.soft, width: 96, overflow: "truncate" }, axisLine: { lineStyle: { color: colours.line } }, axisTick: { show: false } };
    const values = { type: "value", minInterval: 1, axisLabel: { color: colours.soft }, splitLine: { lineStyle: { color: colours.line } } };
    return {
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      color: colours.series,
      textStyle: { color: colours.ink, fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
      tooltip: { trigger: "item", renderMode: "richText", confine: true, backgroundColor: colours.sheet, borderColor: colours.line, textStyle: { color: colours.ink } },
      xAxis: isLying ? values : names,
      yAxis: isLying ? names : values,
      series: data.columns.map((name, column) => ({
        name, type: isLine ? "line" : "bar", stack: shape === "stacked" ? "all" : undefined,
        symbol: ["circle", "rect", "triangle", "diamond"][column % 4], symbolSize: 9, barMaxWidth: 36, barMinHeight: 2,
        lineStyle: { type: ["solid", "dashed", "dotted"][column % 3], width: 2 },
        data: data.cells.map((cells) => number(cells[column])),
      })),
    };
  };

  // The legend is text of the page, so that it wraps and prints whole: charts.css draws its lines.
  const legend = (place, columns) => {
    const list = document.createElement("ul");
    list.className = `legend ${place.dataset.shape}`;
    list.setAttribute("aria-hidden", "true");
    columns.forEach((name, number) => {
      const item = document.createElement("li");
      item.className = `c${number % 4} l${number % 3}`;
      item.append(Object.assign(document.createElement("i"), { textContent: "●■▲◆"[number % 4] }), name);
      list.append(item);
    });
    place.before(list);
  };

  const draw = (chart, isPrinted = false) =>
    chart.plot.setOption({ ...option(chart.shape, chart.data, palette(isPrinted)), ...(isPrinted ? { animation: false } : {}) }, true);

  document.querySelectorAll(".plot").forEach((place) => {
    const table = place.parentElement.querySelector("table");
    place.hidden = false;
    const chart = { plot: echarts.init(place, null, { renderer: "svg" }), shape: place.dataset.shape, data: said(table) };
    if (chart.data.columns.length > 1) legend(place, chart.data.columns);
    drawn.push(chart);
    draw(chart);
    chart.plot.on("click", (point) => {
      const link = chart.data.cells[point.dataIndex]?.[point.seriesIndex]?.querySelector("a");
      if (link) link.click();
    });
    // Whoever goes through the table by keyboard or pointer sees where he is in the chart.
    const show = (event) => {
      const cell = event.target.closest("td");
      if (!cell) return;
      const at = { seriesIndex: cell.cellIndex - 1, dataIndex: cell.parentElement.sectionRowIndex };
      chart.plot.dispatchAction({ type: "downplay" });
      chart.plot.dispatchAction({ type: "highlight", ...at });
      chart.plot.dispatchAction({ type: "showTip", ...at });
    };
    table.addEventListener("focusin", show);
    table.addEventListener("pointerover", show);
    new ResizeObserver(() => chart.plot.resize()).observe(place);
  });

  const again = () => drawn.forEach((chart) => draw(chart));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  document.addEventListener("look", again);
  // On paper a chart is as wide as a page's text, whichever the window's width is.
  window.addEventListener("beforeprint", () => drawn.forEach((chart) => {
    chart.plot.resize({ width: ON_PAPER });
    draw(chart, true);
  }));
  window.addEventListener("afterprint", () => { drawn.forEach((chart) => chart.plot.resize()); again(); });
})();
