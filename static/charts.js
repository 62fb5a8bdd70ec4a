// Draws the figures of a page with Plotly in the colours of the theme, and again when it changes.
// A figure is JSON beside its canvas; its table stands behind it, so nothing is lost without this.
"use strict";

(() => {
  const root = document.documentElement;
  const HOUSE_LOCALE = "house";
  const chinese = root.lang.startsWith("zh");
  const dateFormats = chinese
    ? ["%Y年", "%Y年%b", "%Y年%b%-d日"]
    : ["%Y", "%b %Y", "%-d %b %Y"];

  function probe() {
    const element = document.createElement("span");
    element.hidden = true;
    document.body.append(element);
    const known = new Map();
    const read = (name) => {
      if (!known.has(name)) {
        element.style.color = `var(${name})`;
        known.set(name, getComputedStyle(element).color);
      }
      return known.get(name);
    };
    return { read, done: () => element.remove() };
  }

  // "--series-1" is a colour of the style sheet, "--series-1/0.16" the same at that strength.
  function coloured(value, read) {
    if (typeof value === "string" && value.startsWith("--")) {
      const [name, alpha] = value.split("/");
      const colour = read(name);
      return alpha ? colour.replace("rgb(", "rgba(").replace(")", `, ${alpha})`) : colour;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, read));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, coloured(v, read)]));
    }
    return value;
  }

  function merged(base, over) {
    const result = { ...base };
    for (const [key, value] of Object.entries(over)) {
      const both = value && typeof value === "object" && !Array.isArray(value) && result[key];
      result[key] = both ? merged(result[key], value) : value;
    }
    return result;
  }

  function houseLayout(narrow) {
    const axis = {
      gridcolor: "--line",
      linecolor: "--line",
      zeroline: false,
      automargin: true,
      fixedrange: true,
      ticks: "",
      tickfont: { size: narrow ? 11 : 12, color: "--ink-soft" },
    };
    return {
      autosize: true,
      margin: { l: 8, r: 12, t: 12, b: 8 },
      paper_bgcolor: "--surface",
      plot_bgcolor: "--surface",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "--ink" },
      xaxis: {
        ...axis,
        showgrid: false,
        nticks: narrow ? 5 : 10,
        spikecolor: "--edge",
        spikethickness: 1,
        spikedash: "solid",
      },
      yaxis: { ...axis, nticks: 6 },
      hovermode: "x unified",
      hoverlabel: {
        bgcolor: "--surface",
        bordercolor: "--line",
        font: { size: 13, color: "--ink" },
        align: "left",
      },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: "--ink-soft" } },
      dragmode: false,
      colorway: [1, 2, 3, 4, 5, 6].map((number) => `--series-${number}`),
    };
  }

  // Names of months and the order of a date in the language of the page.
  function speak(language) {
    const names = (options) =>
      [...Array(12).keys()].map((month) =>
        new Intl.DateTimeFormat(language, options).format(new Date(2026, month, 15)),
      );
    const [year, month, dayMonthYear] = dateFormats;
    const format = {
      months: names({ month: "long" }),
      shortMonths: names({ month: "short" }),
      year,
      month,
      dayMonth: chinese ? "%b%-d日" : "%-d %b",
      dayMonthYear,
    };
    Plotly.register({ moduleType: "locale", name: HOUSE_LOCALE, dictionary: {}, format });
  }

  // A hovered date is told as coarsely as the series is.
  function hoverDate(traces) {
    const dates = traces.flatMap((trace) => trace.x || []);
    const ends = (with_) => dates.every((date) => String(date).endsWith(with_));
    const [year, month, dayMonthYear] = dateFormats;
    return ends("-01-01") ? year : ends("-01") ? month : dayMonthYear;
  }

  function draw(canvas) {
    const source = document.getElementById(canvas.dataset.figure);
    if (!source) return;
    const figure = JSON.parse(source.textContent);
    const colours = probe();
    const layout = merged(houseLayout(canvas.clientWidth < 520), figure.layout);
    if (layout.xaxis.type === "date") layout.xaxis.hoverformat = hoverDate(figure.data);
    Plotly.react(canvas, coloured(figure.data, colours.read), coloured(layout, colours.read), {
      displayModeBar: false,
      responsive: true,
      locale: HOUSE_LOCALE,
      doubleClick: false,
    });
    colours.done();
  }

  function drawAll(within) {
    for (const canvas of within.querySelectorAll("[data-figure]")) draw(canvas);
  }

  speak(root.lang);
  drawAll(document);
  root.addEventListener("themechange", () => drawAll(document));
  document.body.addEventListener("htmx:afterSwap", (event) => drawAll(event.detail.elt));
})();
