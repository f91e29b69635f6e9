function offer(toggle) {
  const field = document.getElementById(toggle.getAttribute("aria-controls"));

  function show(visible) {
    field.type = visible ? "text" : "password";
    toggle.setAttribute("aria-pressed", String(visible));
  }

  toggle.hidden = false;
  toggle.addEventListener("click", () => show(field.type === "password"));
  field.form.addEventListener("submit", () => show(false));
}

document.querySelectorAll(".password-switch").forEach(offer);
