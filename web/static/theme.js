// The theme is set before the first paint, so that a dark page does not flash. A module would run too late for that.
"use strict";
(() => {
  const key = "pitchstream.theme", root = document.documentElement;
  const stored = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = theme => theme ? root.dataset.theme = theme : delete root.dataset.theme;
  const tell = () => dispatchEvent(new Event("themechange"));

  set(stored());
  dark.addEventListener("change", tell);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    const label = () => {
      const name = isDark() ? "Light colours" : "Dark colours";
      button.setAttribute("aria-label", name);
      button.title = name;
    };
    button.addEventListener("click", () => {
      const next = isDark() ? "light" : "dark";
      try { localStorage.setItem(key, next); } catch { /* without storage, the choice holds for this page only */ }
      set(next);
      tell();
    });
    addEventListener("themechange", label);
    label();
  });
})();
