// WebCrypto's words for the algorithms that a client may sign by.
import { compactDecrypt, importJWK } from 'jose'

const ALGORITHMS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
}

export async function privateKey({ kid, alg, ...jwk }) {
  const key = await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[alg], false, ['sign'])
  return { key, kid }
}

// Opens what was encrypted to that key by its `alg`, and nothing else.
export function opener(jwk) {
  const keyManagementAlgorithms = [jwk.alg]
  return async (jwe) => {
    const { plaintext } = await compactDecrypt(jwe, await importJWK(jwk), { keyManagementAlgorithms })
    return new TextDecoder().decode(plaintext)
  }
}
