const field = document.getElementById("password");
const toggle = document.querySelector(".password-switch");

function show(visible) {
  field.type = visible ? "text" : "password";
  toggle.setAttribute("aria-pressed", String(visible));
}

if (field && toggle) {
  toggle.hidden = false;
  toggle.addEventListener("click", () => show(field.type === "password"));
  field.form.addEventListener("submit", () => show(false));
}
