// fetch over connections with a client certificate, which Node's own can not be given. Every host is on this machine.
import { request } from 'node:https'
import { text } from 'node:stream/consumers'

const LOOPBACK = [{ address: '127.0.0.1', family: 4 }]

export function fetchWith(certificate) {
  return (address, options) => {
    if (!address.startsWith('https:')) {
      return fetch(address, options)
    }
    const { method, headers, body } = options
    const { promise, resolve, reject } = Promise.withResolvers()
    const lookup = (_, __, found) => found(null, LOOPBACK)
    const told = Object.fromEntries(new Headers(headers))
    const sent = request(address, { ...certificate, lookup, method, headers: told })
    sent.on('response', async (answer) => {
      const { statusCode: status, headers } = answer
      resolve(new Response(await text(answer), { status, headers }))
    })
    sent.on('error', reject)
    sent.end(body?.toString())
    return promise
  }
}
