import type HyperDHT from 'hyperdht'
import { Service } from '../../facilities/network/calls/service.js'
import type { Comparison } from '../measure.js'
import { freshKeyPair, openDhtPair, openNodePair } from './node-pair.js'

const DIALS = 100

/** A connection with mutual authentication, compared with an encrypted connection only. */
export async function connectionRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const pair = await openNodePair(new Service())
  const dht = await openDhtPair()
  const keyPair = freshKeyPair()
  const server = dht.one.createServer({})
  server.on('connection', (socket: HyperDHT.SecretStream) => socket.on('error', () => undefined))
  await server.listen(keyPair)
  return {
    rows: [
      {
        what: 'connect, with the hello',
        against: 'HyperDHT connect',
        unit: 'ms',
        goal: '',
        compare: 'difference',
        baseline: () =>
          meanMs(async () => {
            const socket = dht.other.connect(keyPair.publicKey, {
              relayAddresses: [...server.relayAddresses],
            })
            socket.on('error', () => undefined)
            await socket.opened
            socket.destroy()
          }),
        starling: () =>
          meanMs(async () => {
            const connection = await pair.dial()
            connection.destroy()
          }),
      },
    ],
    async close() {
      await server.close()
      await dht.close()
      await pair.close()
    },
  }
}

async function meanMs(connect: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  for (let dial = 0; dial < DIALS; dial += 1) await connect()
  return (performance.now() - startedAt) / DIALS
}
