// Another code can be asked for after a minute: until then the button says how long. Without this
// script it can be pressed at once, and does nothing too early.
const form = document.querySelector(".resend");

function countDown(button, shown, left) {
  button.disabled = left > 0;
  shown.hidden = left <= 0;
  shown.textContent = ` (${left})`;
  if (left > 0) setTimeout(() => countDown(button, shown, left - 1), 1000);
}

if (form) countDown(form.querySelector("button"), form.querySelector(".resend-wait"), Number(form.dataset.wait));
