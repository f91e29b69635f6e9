// The npm package oidc-provider with the clients of the measurement, as its documentation sets it up.
// It signs everybody in without a password, so sign-ins are not compared.
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

import { MemoryAdapter } from './memory_adapter.js';
import { redisAdapter } from './redis_adapter.js';

const { port, redisUrl, clients, redirectUri, scope } = JSON.parse(process.env.BENCH_PEER);
const LIFETIME = 6 * 3600;
const MACHINES = 'urn:machines';

async function privateJwk(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig' };
}

function registered(client) {
  const isMachine = client.grant_types.includes('client_credentials');
  return {
    client_id: client.client_id,
    ...(client.secret ? { client_secret: client.secret } : {}),
    token_endpoint_auth_method: client.secret ? 'client_secret_basic' : 'none',
    grant_types: client.grant_types,
    response_types: isMachine ? [] : ['code'],
    redirect_uris: isMachine ? [] : [redirectUri],
    id_token_signed_response_alg: client.alg,
  };
}

async function existingGrant(ctx) {
  const { client, session, provider } = ctx.oidc;
  const known = session.grantIdFor(client.clientId);
  if (known) return provider.Grant.find(known);
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(scope);
  await grant.save();
  return grant;
}

function account(ctx, id) {
  const claims = () => ({
    sub: id, name: 'A Person', given_name: 'A', family_name: 'Person', locale: 'en', zoneinfo: 'UTC',
    updated_at: 1, email: id, email_verified: true,
  });
  return { accountId: id, claims };
}

const machineAlg = Object.fromEntries(clients.map((client) => [client.client_id, client.alg]));
const lifetimes = [
  'AccessToken', 'ClientCredentials', 'IdToken', 'RefreshToken', 'Session', 'Grant', 'Interaction',
];
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: redisUrl ? redisAdapter(redisUrl) : MemoryAdapter,
  clients: clients.map(registered),
  jwks: { keys: [await privateJwk('RS256'), await privateJwk('ES256')] },
  cookies: { keys: ['a key for measuring'] },
  ttl: { AuthorizationCode: 60, ...Object.fromEntries(lifetimes.map((name) => [name, LIFETIME])) },
  routes: {
    authorization: '/authorize', token: '/token', userinfo: '/userinfo', introspection: '/introspect', jwks: '/jwks',
  },
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'locale', 'zoneinfo', 'updated_at'],
    email: ['email', 'email_verified'],
  },
  findAccount: account,
  loadExistingGrant: existingGrant,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => (client.grantTypeAllowed('client_credentials') ? MACHINES : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource, client) => ({
        scope: '', accessTokenFormat: 'jwt', jwt: { sign: { alg: machineAlg[client.clientId] } },
      }),
    },
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) {
    await next();
    return;
  }
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: params.login_hint } });
});

const server = provider.listen(port, '127.0.0.1');
server.keepAliveTimeout = 60000;
