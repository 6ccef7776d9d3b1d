/** Names of this machine, as they stand in a parsed URL. */
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Whether an address may be fetched from: by https, or by http from this machine alone. */
export function isFetchable(url: URL): boolean {
  return url.protocol === 'https:' || isLocalHttp(url)
}

/**
 * Where a redirect leads, if it may be followed. Nobody else may send a request to a server of this
 * machine: those often answer whoever reaches them.
 *
 * @param from the address that answered with the redirect
 * @param location the header as it came
 * @returns undefined when it is no address, or one that is not to be followed
 */
export function redirectTarget(from: URL, location: string): URL | undefined {
  if (location === '') return undefined
  let target: URL
  try {
    target = new URL(location, from)
  } catch {
    // A location that cannot be read leads nowhere.
    return undefined
  }
  if (target.username !== '' || target.password !== '') return undefined
  if (!isFetchable(target)) return undefined
  return !isLocalHttp(target) || isLocalHttp(from) ? target : undefined
}

/** An address for messages: without its query, which may hold a signature. */
export function shownAddress(url: URL): string {
  return `${url.origin}${url.pathname}`
}

function isLocalHttp(url: URL): boolean {
  return url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname)
}
