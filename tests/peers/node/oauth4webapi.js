// npm's oauth4webapi, all of it: as a client that Python tells what to do, and as an API that checks the access tokens
// it is sent (RFC 9068). It sees no browser: Python brings back where the browser was sent.
import * as oauth from 'oauth4webapi'
import { authentication } from './authentication.js'
import { answerCalls } from './calls.js'
import { fetchWith } from './certificates.js'
import { opener, privateKey } from './keys.js'

const LOOPBACK = { [oauth.allowInsecureRequests]: true }
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const parties = []

async function discovered(issuer, algorithm = 'oidc') {
  const answer = await oauth.discoveryRequest(new URL(issuer), { ...LOOPBACK, algorithm })
  return await oauth.processDiscoveryResponse(new URL(issuer), answer)
}

// With `bound` it has a key for its tokens, with `opens` another that it is encrypted to, and with `certificate` it shows
// that to the provider.
async function become(server, client, { key, secret, method, bound, opens, certificate }) {
  const options = {
    ...LOOPBACK,
    DPoP: bound && oauth.DPoP(client, await oauth.generateKeyPair(bound)),
    [oauth.jweDecrypt]: opens && opener(opens),
    [oauth.customFetch]: certificate && fetchWith(certificate),
  }
  const proof = await authentication(oauth, { method, secret, key })
  return parties.push({ server, client, key, proof, options }) - 1
}

// What `read` makes of the answer. A proof without the provider's nonce is answered by one: once more, with that.
async function asked(request, read) {
  const once = async () => await read(await request())
  try {
    return await once()
  } catch (problem) {
    if (oauth.isDPoPNonceError(problem)) {
      return await once()
    }
    throw problem
  }
}

async function granted(party, request, read, what, expected = {}) {
  const { server, client, proof, options } = parties[party]
  return await asked(
    () => request(server, client, proof, ...what, options),
    async (answer) => {
      const tokens = await read(server, client, answer, { ...options, ...expected })
      if (tokens.id_token) {
        await oauth.validateApplicationLevelSignature(server, answer, options)
      }
      return { ...tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
    },
  )
}

async function signed({ server, client, key }, parameters) {
  const request = await oauth.issueRequestObject(server, client, parameters, await privateKey(key))
  return { client_id: client.client_id, request }
}

async function pushed({ server, client, proof, options }, parameters) {
  const { request_uri } = await asked(
    () => oauth.pushedAuthorizationRequest(server, client, proof, parameters, options),
    (answer) => oauth.processPushedAuthorizationResponse(server, client, answer),
  )
  return { client_id: client.client_id, request_uri }
}

await answerCalls({
  // `algorithm` is oidc for OpenID Connect Discovery, oauth2 for RFC 8414.
  async metadata({ issuer, algorithm }) {
    return await discovered(issuer, algorithm)
  },

  // `metadata` is what it has registered.
  async discover({ issuer, client_id, metadata, ...holding }) {
    return await become(await discovered(issuer), { client_id, ...metadata }, holding)
  },

  // By an initial access token.
  async register({ issuer, token: initialAccessToken, metadata }) {
    const server = await discovered(issuer)
    const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, { ...LOOPBACK, initialAccessToken })
    const client = await oauth.processDynamicClientRegistrationResponse(answer)
    return await become(server, client, { secret: client.client_secret, method: client.token_endpoint_auth_method })
  },

  clientMetadata({ party }) {
    return parties[party].client
  },

  async start({ party, by = '', redirect_uri, ...parameters }) {
    const { server, client } = parties[party]
    const checks = {
      redirect_uri,
      is_jwt: (parameters.response_mode ?? '').endsWith('jwt'),
      verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
    }
    let request = {
      client_id: client.client_id,
      redirect_uri,
      response_type: 'code',
      scope: 'openid profile email',
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
      ...parameters,
    }
    if (by.includes('JAR')) {
      request = await signed(parties[party], request)
    }
    if (by.includes('PAR')) {
      request = await pushed(parties[party], request)
    }
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams(request)
    return { url: url.href, checks }
  },

  // `posted` is the body of a form_post answer.
  async finish({ party, url, posted, checks }) {
    const { server, client, options } = parties[party]
    const validate = checks.is_jwt ? oauth.validateJwtAuthResponse : oauth.validateAuthResponse
    const answer = posted ? new URLSearchParams(posted) : new URL(url)
    const arrived = await validate(server, client, answer, checks.state, options)
    const expected = { expectedNonce: checks.nonce, requireIdToken: true }
    const what = [arrived, checks.redirect_uri, checks.verifier]
    return await granted(party, oauth.authorizationCodeGrantRequest, oauth.processAuthorizationCodeResponse, what, expected)
  },

  async refresh({ party, token }) {
    return await granted(party, oauth.refreshTokenGrantRequest, oauth.processRefreshTokenResponse, [token])
  },

  async clientCredentials({ party, ...parameters }) {
    return await granted(party, oauth.clientCredentialsGrantRequest, oauth.processClientCredentialsResponse, [parameters])
  },

  async exchange({ party, ...parameters }) {
    const what = [TOKEN_EXCHANGE, parameters]
    return await granted(party, oauth.genericTokenEndpointRequest, oauth.processGenericTokenEndpointResponse, what)
  },

  async startDevice({ party, ...parameters }) {
    const { server, client, proof, options } = parties[party]
    const answer = await oauth.deviceAuthorizationRequest(server, client, proof, parameters, options)
    return await oauth.processDeviceAuthorizationResponse(server, client, answer)
  },

  async askForDevice({ party, code }) {
    return await granted(party, oauth.deviceCodeGrantRequest, oauth.processDeviceCodeResponse, [code])
  },

  async startBackchannel({ party, ...parameters }) {
    const { server, client, proof, options } = parties[party]
    const answer = await oauth.backchannelAuthenticationRequest(server, client, proof, parameters, options)
    return await oauth.processBackchannelAuthenticationResponse(server, client, answer)
  },

  async askForBackchannel({ party, id }) {
    const [request, read] = [oauth.backchannelAuthenticationGrantRequest, oauth.processBackchannelAuthenticationGrantResponse]
    return await granted(party, request, read, [id])
  },

  async userinfo({ party, token, subject }) {
    const { server, client, options } = parties[party]
    return await asked(
      () => oauth.userInfoRequest(server, client, token, options),
      async (answer) => {
        const told = await oauth.processUserInfoResponse(server, client, subject, answer, options)
        if (client.userinfo_signed_response_alg) {
          await oauth.validateApplicationLevelSignature(server, answer, options)
        }
        return told
      },
    )
  },

  async introspect({ party, token }) {
    const { server, client, proof, options } = parties[party]
    const answer = await oauth.introspectionRequest(server, client, proof, token, options)
    const told = await oauth.processIntrospectionResponse(server, client, answer, options)
    if (client.introspection_signed_response_alg) {
      await oauth.validateApplicationLevelSignature(server, answer, options)
    }
    return told
  },

  async revoke({ party, token }) {
    const { server, client, proof, options } = parties[party]
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token, options))
  },

  // JSON from an API.
  async fetch({ party, token, url }) {
    const { options } = parties[party]
    return await asked(
      () => oauth.protectedResourceRequest(token, 'GET', new URL(url), undefined, undefined, options),
      (answer) => answer.json(),
    )
  },

  // What an API learns from a request of that party's, which is checked before it has gone anywhere.
  async checkRequest({ party, token, audience }) {
    const { server, options } = parties[party]
    let sent
    const keep = async (address, { method, headers }) => {
      sent = new Request(address, { method, headers })
      return new Response()
    }
    const there = new URL('https://api.example/loans')
    const kept = { ...options, [oauth.customFetch]: keep }
    await oauth.protectedResourceRequest(token, 'GET', there, undefined, undefined, kept)
    return await oauth.validateJwtAccessToken(server, sent, audience, LOOPBACK)
  },
})
