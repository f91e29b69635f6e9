// npm's openid-client, which signs what it asks (JAR), by itself or pushed, and takes answers that are signed (JARM).
import * as oidc from 'openid-client'
import { answerCalls } from './calls.js'
import { privateKey } from './keys.js'

const relyingParties = []

async function signed(party, parameters, key) {
  return oidc.buildAuthorizationUrlWithJAR(party, parameters, await privateKey(key))
}

async function asked(by, party, parameters, key) {
  switch (by) {
    case 'JAR':
      return await signed(party, parameters, key)
    case 'JAR through PAR':
      return await oidc.buildAuthorizationUrlWithPAR(party, (await signed(party, parameters, key)).searchParams)
    default:
      return oidc.buildAuthorizationUrl(party, parameters)
  }
}

await answerCalls({
  async discover({ issuer, client_id: clientId, secret, key, metadata, takes_jwt: takesJwt }) {
    const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]
    if (takesJwt) {
      execute.push(oidc.useJwtResponseMode)
    }
    const by = oidc.ClientSecretBasic(secret)
    const party = await oidc.discovery(new URL(issuer), clientId, metadata, by, { execute })
    return relyingParties.push({ party, key }) - 1
  },

  async start({ party, by, ...parameters }) {
    const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState() }
    const { party: configuration, key } = relyingParties[party]
    const everything = {
      scope: 'openid profile email',
      state: checks.expectedState,
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const url = await asked(by, configuration, everything, key)
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
    const tokens = await oidc.authorizationCodeGrant(relyingParties[party].party, answer, checks)
    return { ...tokens, claims: tokens.claims() }
  },
})
