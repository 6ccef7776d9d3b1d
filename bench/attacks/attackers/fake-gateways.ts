import type HyperDHT from 'hyperdht'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Target } from '../attacker-messages.js'
import { type Attacker, Counters, repeated } from './attacker.js'
import { gatewayTopic, newKeyPair, openDht } from './stranger.js'

const FAKE_GATEWAYS = 200
const NEW_KEYS_PER_SECOND = 40
/** The DHT nodes that they listen on. */
const NODES = 8

/** Strangers who announce themselves as gateways, accept connections and send nothing. */
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
    const open = this.#open
    this.#open = []
    for (const { dht, keyPair, server } of open) {
      await dht.unannounce(this.#topic, keyPair)
      await server.close()
    }
  }
}

/** 200 fake gateways during the whole attack. */
export async function fakeGateways(target: Target): Promise<Attacker> {
  const announcers = new SilentAnnouncers(await gatewayTopic(target), target)
  const counters = new Counters()
  return {
    async start() {
      for (let count = 0; count < FAKE_GATEWAYS; count += 1) {
        await announcers.announce()
        counters.add('announced')
      }
    },
    stop: () => announcers.leave(),
    counts: () => counters.values,
  }
}

/** 40 new fake gateways per second. */
export async function newFakeGateways(target: Target): Promise<Attacker> {
  const announcers = new SilentAnnouncers(await gatewayTopic(target), target)
  const announcing = repeated({
    atOnce: 1,
    pauseMs: 1000 / NEW_KEYS_PER_SECOND,
    leadMs: 1_000,
    counters: new Counters(),
    step: () => announcers.announce(),
  })
  return {
    ...announcing,
    async stop() {
      await announcing.stop()
      await announcers.leave()
    },
  }
}
