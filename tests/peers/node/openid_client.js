// npm's openid-client, as a relying party that Python tells what to do. It sees no browser: Python
// takes the authorization URL to the provider and brings back where the browser was sent.
import * as oidc from 'openid-client'
import { authentication } from './authentication.js'
import { answerCalls } from './calls.js'

// It would take an ID token's signature on trust in TLS, which loopback has not.
const EXECUTE = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]
const relyingParties = []
const keys = new Map()

function answered(tokens) {
  return { ...tokens, claims: tokens.claims() }
}

await answerCalls({
  // Without a `method` it is used as everybody would at first: issuer, client id, secret.
  async discover({ issuer, client_id: clientId, metadata, secret, ...asked }) {
    const by = await authentication(oidc, { secret, ...asked })
    const known = metadata ?? secret
    const party = await oidc.discovery(new URL(issuer), clientId, known, by, { execute: EXECUTE })
    return relyingParties.push(party) - 1
  },

  // By an initial access token. The secret, if it is told one, is its own from then on.
  async register({ issuer, token: initialAccessToken, metadata }) {
    const options = { execute: EXECUTE, initialAccessToken }
    const by = await authentication(oidc, { method: metadata.token_endpoint_auth_method })
    const party = await oidc.dynamicClientRegistration(new URL(issuer), metadata, by, options)
    return relyingParties.push(party) - 1
  },

  metadata({ party }) {
    return relyingParties[party].serverMetadata()
  },

  clientMetadata({ party }) {
    return relyingParties[party].clientMetadata()
  },

  // Each party that asks for it has one key, and remembers the nonces that it was given.
  async bind({ party }) {
    const pair = await oidc.randomDPoPKeyPair('ES256')
    keys.set(party, { DPoP: oidc.getDPoPHandle(relyingParties[party], pair) })
  },

  async start({ party, pushed, ...parameters }) {
    const checks = {
      pkceCodeVerifier: oidc.randomPKCECodeVerifier(),
      expectedState: oidc.randomState(),
      expectedNonce: oidc.randomNonce(),
    }
    const asked = {
      scope: 'openid profile email',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const known = relyingParties[party]
    const url = pushed
      ? await oidc.buildAuthorizationUrlWithPAR(known, asked, keys.get(party))
      : oidc.buildAuthorizationUrl(known, asked)
    return { url: url.href, checks }
  },

  // `posted` is the body of a form_post answer.
  async finish({ party, url, posted, checks }) {
    const body = posted && new URLSearchParams(posted)
    const arrived = body ? new Request(url, { method: 'POST', body }) : new URL(url)
    const [known, held] = [relyingParties[party], keys.get(party)]
    return answered(await oidc.authorizationCodeGrant(known, arrived, checks, undefined, held))
  },

  async startDevice({ party, ...parameters }) {
    return await oidc.initiateDeviceAuthorization(relyingParties[party], parameters)
  },

  async startBackchannel({ party, ...parameters }) {
    const told = await oidc.initiateBackchannelAuthentication(relyingParties[party], parameters)
    return { ...told, party }
  },

  // Each as often as it was told, and all at the same time; a refusal by the provider's word.
  async poll({ party, told }) {
    const poll = (each) =>
      each.auth_req_id
        ? oidc.pollBackchannelAuthenticationGrant(relyingParties[each.party], each)
        : oidc.pollDeviceAuthorizationGrant(relyingParties[party], each)
    const ends = await Promise.allSettled(told.map(poll))
    return ends.map(({ value, reason }) => (value ? answered(value) : { error: reason.error }))
  },

  async refresh({ party, token, ...parameters }) {
    const [known, held] = [relyingParties[party], keys.get(party)]
    return answered(await oidc.refreshTokenGrant(known, token, parameters, held))
  },

  async clientCredentials({ party, ...parameters }) {
    return await oidc.clientCredentialsGrant(relyingParties[party], parameters, keys.get(party))
  },

  async userinfo({ party, token, subject }) {
    return await oidc.fetchUserInfo(relyingParties[party], token, subject, keys.get(party))
  },

  async introspect({ party, token, ...parameters }) {
    return await oidc.tokenIntrospection(relyingParties[party], token, parameters)
  },

  async revoke({ party, token, ...parameters }) {
    return await oidc.tokenRevocation(relyingParties[party], token, parameters)
  },

  endSessionUrl({ party, ...parameters }) {
    return oidc.buildEndSessionUrl(relyingParties[party], parameters).href
  },
})
