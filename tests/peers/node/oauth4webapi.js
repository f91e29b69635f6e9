// npm's oauth4webapi, both as a public client and as an API that checks the access tokens it is sent.
import * as oauth from 'oauth4webapi'
import { answerCalls } from './calls.js'

const LOOPBACK = { [oauth.allowInsecureRequests]: true }

async function discovered(issuer, algorithm = 'oidc') {
  const answer = await oauth.discoveryRequest(new URL(issuer), { ...LOOPBACK, algorithm })
  return await oauth.processDiscoveryResponse(new URL(issuer), answer)
}

await answerCalls({
  // `algorithm` is oidc for OpenID Connect Discovery, oauth2 for RFC 8414.
  async discover({ issuer, algorithm }) {
    return await discovered(issuer, algorithm)
  },

  async start({ issuer, ...parameters }) {
    const server = await discovered(issuer)
    const checks = {
      verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
    }
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams({
      response_type: 'code',
      scope: 'openid profile email',
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
      ...parameters,
    })
    return { url: url.href, checks }
  },

  async finish({ issuer, client_id, redirect_uri: redirectUri, secret, url, checks }) {
    const server = await discovered(issuer)
    const client = { client_id }
    const proof = secret ? oauth.ClientSecretBasic(secret) : oauth.None()
    const arrived = oauth.validateAuthResponse(server, client, new URL(url), checks.state)
    const answer = await oauth.authorizationCodeGrantRequest(
      server, client, proof, arrived, redirectUri, checks.verifier, LOOPBACK,
    )
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
      expectedNonce: checks.nonce,
      requireIdToken: true,
    })
    await oauth.validateApplicationLevelSignature(server, answer, LOOPBACK)
    return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
  },

  // What an API does with a request that somebody sent it (RFC 9068 section 4).
  async checkAccessToken({ issuer, token, audience }) {
    const headers = { authorization: `Bearer ${token}` }
    const request = new Request('https://api.example/loans', { headers })
    return await oauth.validateJwtAccessToken(await discovered(issuer), request, audience, LOOPBACK)
  },
})
