import type { Log } from '../../facilities/log/log.js'
import { tellParent } from '../../facilities/process/parent-channel.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { OfferedServer } from './offered-server.js'
import type { ServerWatch } from './server-watch.js'

/** Of a notice for the parent process. */
const MAX_NOTICE_CHARACTERS = 2_000

/**
 * Tells users what they should know: in the log, and on the terminal of a mesh.
 *
 * @param tell sends a message to the parent process
 */
export function noticesOf(log: Log, tell: typeof tellParent = tellParent): (text: string) => void {
  return (text) => {
    log.info(text)
    tell({ kind: 'notice', text: text.slice(0, MAX_NOTICE_CHARACTERS) })
  }
}

/** Reports when the servers of a processor stop answering, and when they answer again. */
export function reportServers(servers: ServerWatch, notify: (text: string) => void): void {
  servers.on('down', ({ title, hasListed }: OfferedServer, { message }: StarlingError) =>
    notify(`${hasListed ? 'Lost' : 'Waiting for'} ${title}: ${message}`),
  )
  servers.on('up', ({ title, url }: OfferedServer) => notify(`Back: ${title} at ${url}`))
  servers.on('found', ({ title, url }: OfferedServer) => notify(`Found ${title} at ${url}`))
  servers.on('refused', (names: readonly string[]) =>
    notify(`Not served, because other models have their names: ${names.join(', ')}`),
  )
}
