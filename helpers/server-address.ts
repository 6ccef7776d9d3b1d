import { StarlingError } from './errors/starling-error.js'

/** Where a server is, apart from what it is told to prove who asks. */
export interface ServerAddress {
  /** Without credentials, query and a slash at its end: it may stand in messages. */
  readonly url: string
  /** The value of an authorization header, from the address's own name and password. */
  readonly authorization: string | null
}

/**
 * Reads the address of a server that an operator configured, like `http://127.0.0.1:11434` or
 * `localhost:8000/v1`. A name and password in it become basic authentication.
 *
 * @param what names the server in the error: `the Ollama server`
 * @param defaultPort for an address that names neither a protocol nor a port
 * @throws StarlingError CONFIG_INVALID; the message does not repeat the address, which may hold a
 *   password
 */
export function parseServerAddress(
  text: string,
  what: string,
  defaultPort?: number,
): ServerAddress {
  const hasProtocol = /^[a-z][a-z\d+.-]*:\/\//i.test(text)
  let url: URL
  try {
    url = new URL(hasProtocol ? text : `http://${text}`)
  } catch {
    // What is wrong with it is said below, without the text itself.
    throw invalid(what, 'is no URL')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(what, 'is not http(s)')
  if (url.search !== '' || url.hash !== '') throw invalid(what, 'has a query or a fragment')
  // Not `url.port`, which is empty for the protocol's own.
  const hasPort = /:\d+$/.test(text.split('/', 1)[0] ?? '')
  if (!hasProtocol && !hasPort && defaultPort !== undefined) url.port = String(defaultPort)
  const authorization = basicAuthorization(url, what)
  return { url: `${url.origin}${url.pathname}`.replace(/\/+$/, ''), authorization }
}

function basicAuthorization({ username, password }: URL, what: string): string | null {
  if (username === '' && password === '') return null
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(credentials).toString('base64')}`
  } catch {
    // A percent sign that begins no escape.
    throw invalid(what, 'has a name or password that is not percent-encoded')
  }
}

function invalid(what: string, why: string): StarlingError {
  return new StarlingError(
    'CONFIG_INVALID',
    `The address of ${what} ${why}; it should look like http://127.0.0.1:8000`,
  )
}
