// npm's openid-client, which signs what it asks (JAR), by itself or pushed, and takes answers that are signed (JARM).
// Without a secret it proves itself by its key, and with `bound` it holds another one for its tokens (FAPI 2.0).
import * as oidc from 'openid-client'
import { answerCalls } from './calls.js'
import { privateKey } from './keys.js'

const relyingParties = []

async function signed(party, parameters, key) {
  return oidc.buildAuthorizationUrlWithJAR(party, parameters, await privateKey(key))
}

async function asked(by, { party, key, held }, parameters) {
  switch (by) {
    case 'JAR':
      return await signed(party, parameters, key)
    case 'JAR through PAR':
      return await oidc.buildAuthorizationUrlWithPAR(party, (await signed(party, parameters, key)).searchParams, held)
    default:
      return oidc.buildAuthorizationUrl(party, parameters)
  }
}

await answerCalls({
  async discover({ issuer, client_id: clientId, secret, key, metadata, takes_jwt: takesJwt, bound }) {
    const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]
    if (takesJwt) {
      execute.push(oidc.useJwtResponseMode)
    }
    const by = secret ? oidc.ClientSecretBasic(secret) : oidc.PrivateKeyJwt(await privateKey(key))
    const party = await oidc.discovery(new URL(issuer), clientId, metadata, by, { execute })
    const held = bound && { DPoP: oidc.getDPoPHandle(party, await oidc.randomDPoPKeyPair(bound)) }
    return relyingParties.push({ party, key, held }) - 1
  },

  async start({ party, by, ...parameters }) {
    const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState() }
    const everything = {
      scope: 'openid profile email',
      state: checks.expectedState,
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const url = await asked(by, relyingParties[party], everything)
    if (parameters.response_mode && url.searchParams.has('response_mode')) {
      url.searchParams.set('response_mode', parameters.response_mode) // it knows `jwt` alone
    }
    return { url: url.href, checks }
  },

  // What stands in the fragment is handed to it as a query, as a page's script would.
  async finish({ party, url, posted, checks }) {
    const arrived = new URL(url)
    arrived.search ||= arrived.hash.slice(1)
    arrived.hash = ''
    const body = posted && new URLSearchParams(posted)
    const answer = body ? new Request(arrived, { method: 'POST', body }) : arrived
    const { party: known, held } = relyingParties[party]
    const tokens = await oidc.authorizationCodeGrant(known, answer, checks, undefined, held)
    return { ...tokens, claims: tokens.claims() }
  },

  async refresh({ party, token }) {
    const { party: known, held } = relyingParties[party]
    return await oidc.refreshTokenGrant(known, token, {}, held)
  },

  async userinfo({ party, token, subject }) {
    const { party: known, held } = relyingParties[party]
    return await oidc.fetchUserInfo(known, token, subject, held)
  },
})
