import type HyperDHT from 'hyperdht'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Target } from '../attacker-messages.js'
import { type Attacker, repeated, Tally } from './attacker.js'
import { gatewayTopic, newKeyPair, openDht } from './stranger.js'

const SQUATTERS = 200
const NEW_KEYS_PER_SECOND = 40
/** DHT nodes that they listen on. */
const NODES = 8

/** Strangers who announce themselves as gateways, accept connections and say nothing. */
class SilentAnnouncers {
  readonly #topic: Uint8Array
  readonly #nodes: readonly HyperDHT[]
  #open: { dht: HyperDHT; keyPair: KeyPair; server: HyperDHT.Server }[] = []
  #announced = 0

  constructor(topic: Uint8Array, target: Target) {
    this.#topic = topic
    this.#nodes = Array.from({ length: NODES }, () => openDht(target))
  }

  async announce(): Promise<void> {
    const dht = this.#nodes[this.#announced++ % this.#nodes.length]
    if (dht === undefined) throw new Error('No node')
    const keyPair = newKeyPair()
    const server = dht.createServer({})
    server.on('connection', (stream: HyperDHT.SecretStream) => stream.on('error', () => undefined))
    await server.listen(keyPair)
    await dht.announce(this.#topic, keyPair, server.relayAddresses).finished()
    this.#open.push({ dht, keyPair, server })
  }

  async leave(): Promise<void> {
    const left = this.#open
    this.#open = []
    for (const { dht, keyPair, server } of left) {
      await dht.unannounce(this.#topic, keyPair)
      await server.close()
    }
  }
}

/** 200 of them, all the time. */
export async function squatters(target: Target): Promise<Attacker> {
  const announcers = new SilentAnnouncers(await gatewayTopic(target), target)
  const tally = new Tally()
  return {
    async start() {
      for (let squatter = 0; squatter < SQUATTERS; squatter += 1) {
        await announcers.announce()
        tally.add('announced')
      }
    },
    stop: () => announcers.leave(),
    figures: () => tally.counts,
  }
}

/** 40 new ones every second. */
export async function newSquatters(target: Target): Promise<Attacker> {
  const announcers = new SilentAnnouncers(await gatewayTopic(target), target)
  const coming = repeated({
    atOnce: 1,
    pauseMs: 1000 / NEW_KEYS_PER_SECOND,
    leadMs: 1_000,
    tally: new Tally(),
    step: () => announcers.announce(),
  })
  return {
    ...coming,
    async stop() {
      await coming.stop()
      await announcers.leave()
    },
  }
}
