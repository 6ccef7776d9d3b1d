import { StarlingError } from '../errors/starling-error.js'

/** The address of a server, with separate credentials. */
export interface ServerAddress {
  /** Without credentials, query and trailing slash: messages may contain it. */
  readonly url: string
  /** The value of an authorization header, from the address's own name and password. */
  readonly authorization: string | null
}

/** The address, or why the text is not one. */
export type ServerAddressReading = { readonly address: ServerAddress } | { readonly why: string }

/** A port, with a name and password, a host and perhaps a protocol before it. */
const PORT = /^(?:[a-z][a-z\d+.-]*:\/\/)?(?:[^/?#]*@)?(?:\[[^\]/?#]*\]|[^/?#:]*):(\d+)(?=[/?#]|$)/i

/** The highest port of TCP and UDP. */
export const MAX_PORT = 65_535

/**
 * Reads the address of a server that an operator configured, like `http://127.0.0.1:11434`,
 * `localhost:8000/v1` or `workstation`. A name and password in it become basic authentication. Never throws.
 *
 * @param defaultPort for an address that names neither a protocol nor a port
 */
export function readServerAddress(text: string, defaultPort?: number): ServerAddressReading {
  if (hasExcessivePort(text)) return { why: `has a port above ${MAX_PORT}` }
  const hasProtocol = /^[a-z][a-z\d+.-]*:\/\//i.test(text)
  let url: URL
  try {
    url = new URL(hasProtocol ? text : `http://${text}`)
  } catch {
    // Without the text itself, which may contain a password.
    return { why: 'is not a URL' }
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { why: 'has an unsupported URL scheme' }
  if (url.search !== '' || url.hash !== '') return { why: 'has a query or a fragment' }
  // Not `url.port`, which is empty for the default port of the protocol.
  const hasPort = /:\d+$/.test(text.split('/', 1)[0] ?? '')
  if (!hasProtocol && !hasPort && defaultPort !== undefined) url.port = String(defaultPort)
  const authorization = basicAuthorization(url)
  if (authorization === undefined) {
    return { why: 'has a name or password that is not percent-encoded' }
  }
  return { address: { url: `${url.origin}${url.pathname}`.replace(/\/+$/, ''), authorization } }
}

/**
 * The address that {@link readServerAddress} finds.
 *
 * @param what names the server in the error: `the Ollama server`
 * @throws StarlingError CONFIG_INVALID; the message does not contain the address, which may
 *   contain a password
 */
export function parseServerAddress(
  text: string,
  what: string,
  defaultPort?: number,
): ServerAddress {
  const reading = readServerAddress(text, defaultPort)
  if ('address' in reading) return reading.address
  throw new StarlingError(
    'CONFIG_INVALID',
    `The address of ${what} ${reading.why}; it should look like http://127.0.0.1:8000`,
  )
}

/** Whether an address is not a URL because its port is too high. */
export function hasExcessivePort(address: string): boolean {
  return Number(PORT.exec(address)?.[1] ?? 0) > MAX_PORT
}

/** Null without name and password; undefined if they cannot be decoded. */
function basicAuthorization({ username, password }: URL): string | null | undefined {
  if (username === '' && password === '') return null
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    return `Basic ${Buffer.from(credentials).toString('base64')}`
  } catch {
    // A percent sign that does not begin an escape.
    return undefined
  }
}
