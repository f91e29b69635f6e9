const shift = { held: false };
for (const kind of ["keydown", "keyup", "pointerdown"])
  document.addEventListener(kind, (event) => (shift.held = event.shiftKey), true);

const boxesIn = (place) => [...place.querySelectorAll("input[type=checkbox]")];
const itemOf = (box) => box.closest("li");
const below = (box) => boxesIn(itemOf(box)).filter((other) => other !== box);

function tick(boxes, isTicked) {
  for (const box of boxes) if (!box.disabled) box.checked = isTicked;
}

/* A dash: the box itself is not ticked, something below it is. */
function show(branch) {
  const boxes = boxesIn(branch);
  for (const box of boxes) box.indeterminate = !box.checked && below(box).some((b) => b.checked);
  branch.querySelector("[data-selected]").textContent = boxes.filter((b) => b.checked).length;
}

function move(branch, event) {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (!(event.key in steps) || event.target.type !== "checkbox") return;
  const boxes = boxesIn(branch.form ?? document).filter((box) => !box.disabled);
  const next = boxes[boxes.indexOf(event.target) + steps[event.key]];
  if (next) next.focus();
  event.preventDefault();
}

for (const branch of document.querySelectorAll("[data-branch]")) {
  branch.addEventListener("change", (event) => {
    if (!shift.held) tick(below(event.target), event.target.checked);
    show(branch);
  });
  branch.addEventListener("keydown", (event) => move(branch, event));
  for (const button of branch.querySelectorAll("[data-all]")) {
    button.parentElement.hidden = false;
    button.addEventListener("click", () => {
      tick(boxesIn(branch), Boolean(button.dataset.all));
      show(branch);
    });
  }
  show(branch);
}
for (const help of document.querySelectorAll(".tree-help")) help.hidden = false;
