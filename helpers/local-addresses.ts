/** An address with a scheme, up to its end or the end of the words around it. */
const URLS = /\b[a-z][a-z\d+.-]*:\/\/[^\s"'`<>(),;]*[^\s"'`<>(),;.:]/gi

/** An IP address with or without a port; a host name with a port. */
const HOSTS =
  /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]*:[\da-f:.]*\])(?::\d{1,5})?(?![\w.-]*\w)|(?<![\w.-])[a-z][\w.-]*:\d{4,5}(?!\w)/gi

/** A path that begins at a root, at a home or at a dot and has a second part, or an ending. */
const PATHS =
  /(?<![^\s"'`(=:,])(?:(?:~|\.{1,2})?\/(?=[^\s"'`<>(),;:]*[\w~-][./])[^\s"'`<>(),;:]+|[a-z]:\\[^\s"'`<>(),;:]+)/gi

/**
 * A message without the addresses of servers and the paths in it: they say how the machine of a worker
 * is set up, which is nobody else's business. `[address]` and `[path]` stand in their places.
 */
export function withoutAddresses(text: string): string {
  return text.replace(URLS, '[address]').replace(HOSTS, '[address]').replace(PATHS, '[path]')
}
