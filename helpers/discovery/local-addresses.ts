/** URLs with a scheme. */
const URLS = /\b[a-z][a-z\d+.-]*:\/\/[^\s"'`<>(),;]*[^\s"'`<>(),;.:]/gi

/** IP addresses with or without a port, and host names with a port. */
const HOSTS =
  /(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[\da-f:.]*:[\da-f:.]*\])(?::\d{1,5})?(?![\w.-]*\w)|(?<![\w.-])[a-z][\w.-]*:\d{4,5}(?!\w)/gi

/** File paths that start with `/`, `~/`, `./`, `../` or a drive letter. */
const PATHS =
  /(?<![^\s"'`(=:,])(?:(?:~|\.{1,2})?\/(?=[^\s"'`<>(),;:]*[\w~-][./])[^\s"'`<>(),;:]+|[a-z]:\\[^\s"'`<>(),;:]+)/gi

/**
 * Replaces the addresses of servers and the file paths in a message by `[address]` and `[path]`. They
 * describe how a machine is set up and must not be sent to other workers.
 */
export function withoutAddresses(text: string): string {
  return text.replace(URLS, '[address]').replace(HOSTS, '[address]').replace(PATHS, '[path]')
}
