import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Test } from 'brittle'

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export async function freeTcpPort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

/** A TCP port on 127.0.0.1 that is in use until the test ends. */
export async function takenTcpPort(t: Test): Promise<number> {
  const server = createServer()
  t.teardown(() => server.close())
  return await listen(server)
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It listens on no port')
  return address.port
}
