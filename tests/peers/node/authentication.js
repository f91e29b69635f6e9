// How a client proves itself, in the words that openid-client and oauth4webapi share.
import { privateKey } from './keys.js'

export async function authentication(library, { method, secret, key }) {
  switch (method) {
    case 'client_secret_basic':
      return library.ClientSecretBasic(secret)
    case 'client_secret_post':
      return library.ClientSecretPost(secret)
    case 'private_key_jwt':
      return library.PrivateKeyJwt(await privateKey(key))
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return library.TlsClientAuth()
    case 'none':
      return library.None()
  }
}
