// A web application on npm's express-openid-connect: code by form_post, back-channel logout, sign-out at the provider.
import express from "express";
import oidc from "express-openid-connect";

const [port, issuerBaseURL, clientID, clientSecret] = process.argv.slice(2);
const signedOut = new Map();
const store = {
  get: (key, done) => done(null, signedOut.get(key)),
  set: (key, value, done) => done(null, signedOut.set(key, value)),
  destroy: (key, done) => done(null, signedOut.delete(key)),
};

const app = express();
app.use(
  oidc.auth({
    issuerBaseURL,
    baseURL: `http://localhost:${port}`,
    clientID,
    clientSecret,
    secret: "known to this test alone, and of no worth",
    authRequired: false,
    idpLogout: true,
    backchannelLogout: { store },
    authorizationParams: { response_type: "code", response_mode: "form_post", scope: "openid profile email" },
    routes: { postLogoutRedirect: "/signed-out" },
  }),
);
app.get("/me", oidc.requiresAuth(), async ({ oidc: session }, response) => {
  response.json({ ...session.user, ...(await session.fetchUserInfo()) });
});
app.get("/signed-out", (_, response) => response.send("Signed out."));
app.listen(Number(port), "127.0.0.1");
