/** Names of this machine, as they appear in a parsed URL. */
const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Whether a URL may be fetched: by https, or by http from this machine only. */
export function isFetchable(url: URL): boolean {
  return url.protocol === 'https:' || isLocalHttp(url)
}

/**
 * The target of a redirect. A server elsewhere may not redirect to this machine, whose servers often
 * trust every local request.
 *
 * @param from the URL that answered with the redirect
 * @param location the header
 * @returns undefined if it is not a URL, or one that is not allowed
 */
export function redirectTarget(from: URL, location: string): URL | undefined {
  if (location === '') return undefined
  let target: URL
  try {
    target = new URL(location, from)
  } catch {
    // Not a URL.
    return undefined
  }
  if (target.username !== '' || target.password !== '') return undefined
  if (!isFetchable(target)) return undefined
  return !isLocalHttp(target) || isLocalHttp(from) ? target : undefined
}

/** A URL for messages: without its query, which may contain a signature. */
export function shownAddress(url: URL): string {
  return `${url.origin}${url.pathname}`
}

function isLocalHttp(url: URL): boolean {
  return url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname)
}
