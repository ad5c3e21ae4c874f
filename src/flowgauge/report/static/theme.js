// The button that changes between light and dark; what was chosen is kept where there is a storage.

function startTheme() {
  const button = byId("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const say = () => {
    const other = current() === "dark" ? "Light" : "Dark";
    button.textContent = `◐ ${other}`;
    button.setAttribute("aria-label", `${other} theme`);
  };
  try {
    const kept = localStorage.getItem("flowgauge-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* a page from a file may have no storage */ }
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try { localStorage.setItem("flowgauge-theme", next); } catch { /* as above */ }
    say();
  });
  dark.addEventListener("change", say);
  say();
}
