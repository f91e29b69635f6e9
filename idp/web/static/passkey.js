// Buttons with data-passkey ("get" or "create") ask the browser's authenticator, and post what it
// answers. Where a browser has none of it they stay hidden, and everything else works.
const buttons = document.querySelectorAll("[data-passkey]");
const can = window.PublicKeyCredential?.parseRequestOptionsFromJSON;
const RENEW_AFTER = 8 * 60 * 1000; // a challenge serves for ten minutes
let waiting = new AbortController();

function fieldsOf(form) {
  const fields = new FormData(form);
  for (const name of ["email", "password"]) fields.delete(name);
  return fields;
}

async function asked(button) {
  const answer = await fetch(button.dataset.options, { method: "POST", body: new URLSearchParams(fieldsOf(button.form)) });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function credential(button, more) {
  const options = await asked(button);
  if (button.dataset.passkey === "create") {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options), ...more });
  }
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options), ...more });
}

function post(button, answer) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = button.formAction;
  const fields = fieldsOf(button.form);
  fields.set("passkey", JSON.stringify(answer));
  for (const [name, value] of fields) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

function tell(button, error) {
  const problems = [...button.nextElementSibling.querySelectorAll("[data-problem]")];
  const named = error && problems.find((each) => each.dataset.problem === error.name);
  for (const each of problems) each.hidden = !error || each !== (named ?? problems[0]);
}

async function onClick(event) {
  const button = event.currentTarget;
  event.preventDefault();
  waiting.abort();
  tell(button, null);
  button.disabled = true;
  try {
    post(button, await credential(button, {}));
  } catch (error) {
    tell(button, error);
    button.disabled = false;
    if ("onField" in button.dataset) offerOnField(button);
  }
}

// The browser offers passkeys where the e-mail address is typed, until the person picks one.
async function offerOnField(button) {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  waiting = new AbortController();
  const { signal } = waiting;
  const renewal = setTimeout(() => {
    waiting.abort();
    offerOnField(button);
  }, RENEW_AFTER);
  try {
    post(button, await credential(button, { mediation: "conditional", signal }));
  } catch {
    // Nobody asked for it, so nobody is told.
  } finally {
    clearTimeout(renewal);
  }
}

// Opened by another name than its own, like 127.0.0.1 for localhost, a page gets no passkeys.
function isNamed({ dataset: { party } }) {
  return `.${location.hostname}`.endsWith(`.${party}`);
}

function begin(button) {
  button.hidden = false;
  for (const hint of button.form.querySelectorAll("[data-without-passkeys]")) hint.hidden = true;
  button.addEventListener("click", onClick);
  const { party: rpId, unknown: credentialId } = button.dataset;
  if (credentialId) PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId }).catch(() => {});
  if ("onField" in button.dataset) offerOnField(button);
}

for (const button of buttons) {
  if (can && isNamed(button)) begin(button);
  else button.remove();
}
