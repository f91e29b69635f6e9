// Answers a product's frame: "unchanged", "changed" or "error" (OpenID Connect Session Management 1.0 section 3.2).
const name = document.documentElement.dataset.cookie;

// The state of this browser's session, nothing where nobody is signed in.
const browserState = () => {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
};

// A browser that gives frames of other sites no cookies knows nothing, and says so: "changed" would be a guess.
const mayReadCookies = async () => !document.hasStorageAccess || (await document.hasStorageAccess());

const hashed = async (text) => {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 32);
};

const judge = async (message, origin) => {
  const [clientId, sessionState, ...more] = typeof message === "string" ? message.split(" ") : [];
  const [hash, salt, ...rest] = (sessionState || "").split(".");
  if (!clientId || !hash || !salt || more.length || rest.length || !(await mayReadCookies())) return "error";
  return (await hashed(`${clientId} ${origin} ${browserState()} ${salt}`)) === hash ? "unchanged" : "changed";
};

addEventListener("message", async ({ data, origin, source }) => {
  if (source && source !== window && origin !== "null") source.postMessage(await judge(data, origin), origin);
});
