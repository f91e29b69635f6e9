// The menu works without this. It closes on Escape and on a press outside, as people expect.
const menu = document.querySelector("[data-menu]");

function closeMenu() {
  menu.open = false;
}

if (menu) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    closeMenu();
    menu.querySelector("summary").focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.contains(event.target)) closeMenu();
  });
}
