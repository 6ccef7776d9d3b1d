import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'

/** Below the kernel's ephemeral ports, so that a DHT node of another test never gets one by chance. */
const LOWEST = 10_000
const HIGHEST = 28_000

/** A free UDP port on 127.0.0.1 that the kernel never assigns as an ephemeral port. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.close(() => resolve(true))
    })
  })
}
