const menu = document.getElementById("profile-menu");

if (menu) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

// On a phone the navigation is one line that scrolls: begin where the person is.
document.querySelector(".console-nav li [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
